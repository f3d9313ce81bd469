"""The demo's passengers: who comes, what they show, what the checker presses, and what must come of it."""

from __future__ import annotations

from dataclasses import dataclass

#: Forehead skin, hundredths of a degree. The handheld adds 1.90 °C for the site.
HEALTHY_SKIN_CENTI_C = 3470
FEVER_SKIN_CENTI_C = 3620
SITE_OFFSET_CENTI_C = 190


@dataclass(frozen=True)
class Passenger:
    """One turn at the door. `person` is an id of the town.

    `verdict` None: a notice and no record. `reasons` are those of every record. `records`: one per person on
    the code. `measured`: whether temperature and mask are asked for at all.
    """

    title: str
    person: str
    verdict: str | None
    reasons: tuple[str, ...] = ()
    medium: str = "live"
    records: int = 1
    measured: bool = False
    skin_centi_c: int = HEALTHY_SKIN_CENTI_C
    id_key: str | None = None
    mask_key: str = "yes"
    kind: str | None = "live"
    needs_import: bool = False


QUEUE = (
    Passenger("green code, tested", "teacher", "pass", measured=True),
    Passenger(
        "printed code, ID compared",
        "grandfather",
        "pass",
        medium="paper",
        measured=True,
        id_key="yes",
        kind="printed",
    ),
    Passenger(
        "printed code, ID differs",
        "grandfather",
        "stop",
        ("id_differs",),
        medium="paper",
        id_key="no",
        kind="printed",
    ),
    Passenger("orange code", "orange", "stop", ("colour_orange",)),
    Passenger("yesterday's code", "yesterday", "stop", ("expired", "stale")),
    Passenger("screenshot, 20 minutes old", "screenshot", "attention", ("stale",)),
    Passenger("forged code", "forger", "stop", ("bad_signature",), kind=None),
    Passenger("issuer not in the pack", "neighbour", "attention", ("unknown_issuer",), kind=None),
    Passenger(
        "green code, fever",
        "shopper",
        "stop",
        ("fever",),
        measured=True,
        skin_centi_c=FEVER_SKIN_CENTI_C,
    ),
    Passenger("green code, no mask", "nurse", "stop", ("mask_off",), mask_key="no"),
    Passenger("mother, grandmother, child", "mother", "pass", records=3, measured=True),
    Passenger("tested positive", "positive", "stop", ("test_positive",)),
    Passenger("arrival without a test", "arrival", "attention", ("arrival_untested",)),
    Passenger("a shop's poster", "poster", None, medium="paper", records=0),
    Passenger("green code after the poster", "returned", "pass", measured=True),
    Passenger(
        "EU certificate, issuer imported",
        "visitor",
        "attention",
        ("foreign_manual",),
        medium="paper",
        kind="eu",
        needs_import=True,
    ),
)
