"""Interleaved rounds: on a shared computer, only what ran side by side can be compared."""

from __future__ import annotations

from collections.abc import Callable

ROUNDS = 7
NOTE = f"minima of {ROUNDS} interleaved rounds"

Job = Callable[[], float]


def minima(jobs: dict[str, Job], rounds: int = ROUNDS) -> dict[str, float]:
    """Every job's least answer; in each round all have their turn once."""
    least: dict[str, float] = {}
    for _ in range(rounds):
        for name, job in jobs.items():
            answer = job()
            least[name] = min(least.get(name, answer), answer)
    return least
