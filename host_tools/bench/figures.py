"""Figures of the bench, what is asked of them, and how they are shown."""

from __future__ import annotations

from dataclasses import dataclass

Figure = dict[str, object]
Figures = dict[str, Figure]


def figure(value: float, unit: str, note: str, peer: str | None = None) -> Figure:
    """An entry of build/bench.json."""
    return {"value": round(value, 3), "unit": unit, "peer": peer, "note": note}


def left_out(names: tuple[str, ...], why: str) -> Figures:
    """Entries without a value, for what cannot be measured here; the note says what is missing."""
    return {name: {"value": None, "unit": "", "peer": None, "note": f"left out: {why}"} for name in names}


@dataclass(frozen=True)
class Target:
    """What a figure must be, and what we want; at most, or with `at_least` at least."""

    must: float
    goal: float
    at_least: bool = False

    def reached(self, value: float) -> str:
        """``goal``, ``must`` or ``MISSED``."""
        for name, limit in (("goal", self.goal), ("must", self.must)):
            if value >= limit if self.at_least else value <= limit:
                return name
        return "MISSED"


#: In the order of the printed table. docs/bench.md says what each one is.
TARGETS = {
    "verify_vs_mbedtls": Target(0.75, 0.40),
    "verify_vs_ecdsa_plain": Target(0.45, 0.25),
    "verify_vs_ecdsa_precomputed": Target(1.0, 0.55),
    "textbook_vs_verify": Target(20, 35, at_least=True),
    "verify_bytecode_vs_mbedtls": Target(1.25, 0.95),
    "verify_alloc_bytes": Target(40_000, 4_000),
    "verify_wasm_fuel": Target(32e6, 24e6),
    "verify_callgrind_instructions": Target(10e6, 5.5e6),
    "scan_vs_mbedtls": Target(0.85, 0.45),
    "scan_alloc_bytes": Target(12_000, 6_000),
    "key_install_ms": Target(20, 7),
    "table_bytes_per_issuer": Target(32_768, 16_384),
    "native_code_bytes": Target(16_384, 10_240),
    "esp32_scan_ms_model": Target(120, 60),
    "scan_to_verdict_ms_model": Target(250, 200),
    "bus_passengers_per_minute": Target(30, 33, at_least=True),
    "sim_first_screen_s": Target(3, 2),
    "sim_idle_core_percent": Target(3, 1.5),
    "journal_erases_per_record": Target(0.2, 0.05),
    "wire_bytes_per_record": Target(160, 150),
    "powercut_lost": Target(0, 0),
    "scan_during_sync_extra_ms": Target(50, 20),
}


def table(figures: Figures, targets: dict[str, Target] = TARGETS) -> str:
    """Lines for a terminal: the targets first, then every other figure, then what was left out."""
    names = [name for name in targets if name in figures] + [name for name in figures if name not in targets]
    width = max(map(len, figures))
    lines = [f"{'':{width}}  {'value':>12}  {'unit':5}  {'must':>12}  {'goal':>12}  reached"]
    for name in names:
        value, target = figures[name]["value"], targets.get(name)
        limits, reached = ["", ""], ""
        if target:
            sign = "≥" if target.at_least else "≤"
            limits = [f"{sign} {target.must:,.12g}", f"{sign} {target.goal:,.12g}"]
        if isinstance(value, (int, float)):
            shown, reached = f"{value:,.12g}", target.reached(value) if target else ""
        else:
            shown = "left out"
        unit = figures[name]["unit"]
        lines.append(f"{name:{width}}  {shown:>12}  {unit:5}  {limits[0]:>12}  {limits[1]:>12}  {reached}")
    missing = [name for name in names if figures[name]["value"] is None]
    lines += [f"{name}: {figures[name]['note']}" for name in missing]
    return "\n".join(line.rstrip() for line in lines)
