"""Run a long sum between other tasks: core hands out generators, this drives them."""

import asyncio

if False:
    from typing import Any, Generator


async def exhaust(steps: "Generator[None, None, Any]") -> "Any":
    """Drive a generator of slices to its end and return its value; every other task may run in between.

    Raises what the generator raises.
    """
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        await asyncio.sleep_ms(0)
