"""The fields of a person as people type them: checked, cut to their limits, masked."""

from __future__ import annotations

MAX_NAME = 32
MAX_TEXT = 48
MAX_INTERVAL_DAYS = 90


class PeopleTrouble(Exception):
    """A change or a question that the register refuses; the message is for people and names nobody."""


def masked(name: str) -> str:
    """A name as codes and screens show it: 张*丰 of 张三丰, A* M* of Anna Meier."""
    if name.isascii():
        return " ".join(word[:1] + "*" for word in name.split())
    return name[0] + "*" * max(1, len(name) - 2) + (name[-1] if len(name) > 2 else "")


def plain(text: str, what: str, limit: int) -> str:
    """`text` without outer blanks. Raises PeopleTrouble where it is too long or has control characters."""
    text = text.strip()
    if len(text) > limit or len(text.encode()) > 2 * limit or not text.isprintable():
        raise PeopleTrouble(f"the {what} is too long (at most {limit} characters) or not plain text")
    return text


def region_name(region: str | None) -> str | None:
    """Where somebody came from. Raises PeopleTrouble."""
    if region is None:
        return None
    region = plain(region, "region", 24)
    if not region or len(region.encode()) > MAX_TEXT:
        raise PeopleTrouble("the region is empty or too long")
    return region


def past(unix: int | None, now_unix: int) -> int | None:
    """A time that is not to come. Raises PeopleTrouble."""
    if unix is not None and not 0 <= unix <= now_unix:
        raise PeopleTrouble("an arrival is not in the future")
    return unix


def interval(days: int) -> int:
    """Days between two tests. Raises PeopleTrouble."""
    if not 1 <= days <= MAX_INTERVAL_DAYS:
        raise PeopleTrouble(f"the interval is 1 to {MAX_INTERVAL_DAYS} days")
    return days
