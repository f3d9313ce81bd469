"""Fields of the office's forms, and times on its pages."""

from __future__ import annotations

import datetime

from host_tools.authority.fields import PeopleTrouble
from host_tools.authority.results import RowError, parse_time

CHINA = datetime.timezone(datetime.timedelta(hours=8))


def moment(text: str) -> int | None:
    """The time in a field, China's; None for an empty one. Raises PeopleTrouble."""
    if not text:
        return None
    try:
        return parse_time(text)
    except RowError as e:
        raise PeopleTrouble("a time like 2020-05-20 08:30 is needed") from e


def whole(text: str) -> int:
    """The whole number in a field. Raises PeopleTrouble."""
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise PeopleTrouble("a whole number is needed")
    return int(text)


def stamp(unix: object) -> str:
    """A time for people, China's."""
    if not isinstance(unix, int):
        return "–"
    return datetime.datetime.fromtimestamp(unix, CHINA).strftime("%Y-%m-%d %H:%M")
