"""A bounded queue of what happened outside: keys and scans on their way to the flow."""

import asyncio


class Inbox:
    """First in, first out; when it is full the newest event is dropped and counted."""

    def __init__(self, limit: int = 8) -> None:
        self._limit = limit
        self._events: "list[tuple[int, object]]" = []
        self._ready = asyncio.Event()
        self.dropped = 0

    def put(self, kind: int, value: object) -> None:
        """Add an event, or drop it where `limit` events wait already."""
        if len(self._events) >= self._limit:
            self.dropped += 1
            return
        self._events.append((kind, value))
        self._ready.set()

    def clear(self, keep: "int | None" = None) -> None:
        """Forget what waits, except events of the kind `keep`: it was meant for a step that is over."""
        self._events = [event for event in self._events if event[0] == keep]
        if not self._events:
            self._ready.clear()

    async def get(self, timeout_ms: int) -> "tuple[int, object] | None":
        """The next event as (kind, value), or None after `timeout_ms`."""
        if not self._events:
            try:
                await asyncio.wait_for_ms(self._ready.wait(), timeout_ms)
            except asyncio.TimeoutError:
                return None
        event = self._events.pop(0) if self._events else None
        if not self._events:
            self._ready.clear()
        return event
