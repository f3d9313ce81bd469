"""What a person of the town shows at the door: makes and signs the code of the moment."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from firmware.core.codes import encode_ym1
from host_tools import pki
from host_tools.authority.foreign import ForeignIssuer
from host_tools.authority.keys import Issuer, Keys
from host_tools.authority.town import DAY_S, GREEN, Medium, Person, Test, Trick

#: Private claim with the health map (docs/formats.md).
HEALTH = -65537
#: The town's clock: a code is good for its day in China.
ZONE_OFFSET_S = 8 * 3_600
#: A code that is issued a moment before midnight can still be shown.
SHORTEST_LIFE_S = 300
PRINTED_LIFE_S = 90 * DAY_S
SCREENSHOT_AGE_S = 20 * 60
POSTER_TEXT = "https://shop.example/longyan?item=peanuts"


@dataclass(frozen=True)
class Shown:
    """One picture held up: its text, what it is on, and when it counts (0 where that means nothing)."""

    text: str
    medium: Medium
    issued_unix: int
    expires_unix: int
    cti: bytes = b""


class Desk:
    """Issues codes with the authority's keys."""

    def __init__(self, keys: Keys, foreign: ForeignIssuer) -> None:
        self._keys = keys
        self._foreign = foreign

    def show(self, person: Person, now_unix: int, medium: Medium | None = None) -> Shown:
        """What `person` shows now: on `medium` where the person has it, else on what the person has."""
        held = medium if medium in person.media else person.media[0]
        if person.trick is Trick.POSTER:
            return Shown(POSTER_TEXT, held, 0, 0)
        if person.trick is Trick.EU:
            text, expires_unix = self._foreign.certificate_text(now_unix)
            return Shown(text, held, now_unix, expires_unix)
        issued_unix, expires_unix = _validity(person, held, now_unix)
        issuer = self._issuer(person, held)
        cti = secrets.token_bytes(8)
        claims = _claims(person, held, issuer.name, issued_unix, expires_unix, cti)
        sign = pki.signer(issuer.key)
        if person.trick is Trick.FORGED:
            # The forger takes the good signature of the true code and changes the colour under it.
            signatures: list[bytes] = []

            def sign_and_keep(message: bytes) -> bytes:
                signatures.append(pki.signer(issuer.key)(message))
                return signatures[0]

            encode_ym1(claims, issuer.kid, sign_and_keep)
            claims = {**claims, HEALTH: {**_health(person, held, issued_unix), 1: GREEN}}
            return Shown(
                encode_ym1(claims, issuer.kid, lambda _: signatures[0]), held, issued_unix, expires_unix
            )
        return Shown(encode_ym1(claims, issuer.kid, sign), held, issued_unix, expires_unix, cti)

    def paper(self, person: Person, now_unix: int) -> Shown:
        """A paper code to print now for `person`, without any trick and as new as the ink."""
        media = (Medium.PAPER,)
        return self.show(replace(person, media=media, trick=Trick.NONE, paper_age_s=0), now_unix)

    def _issuer(self, person: Person, medium: Medium) -> Issuer:
        if person.trick is Trick.NEIGHBOUR:
            return self._keys.neighbour
        return self._keys.printed if medium is Medium.PAPER else self._keys.live


def _validity(person: Person, medium: Medium, now_unix: int) -> tuple[int, int]:
    """From when and until when the code counts."""
    if medium is Medium.PAPER:
        return now_unix - person.paper_age_s, now_unix + PRINTED_LIFE_S
    midnight = now_unix - (now_unix + ZONE_OFFSET_S) % DAY_S
    if person.trick is Trick.YESTERDAY:
        return midnight - 3_600, midnight
    issued_unix = now_unix - SCREENSHOT_AGE_S if person.trick is Trick.SCREENSHOT else now_unix
    return issued_unix, max(midnight + DAY_S, now_unix + SHORTEST_LIFE_S)


def _claims(
    person: Person, medium: Medium, issuer: str, issued_unix: int, expires_unix: int, cti: bytes
) -> dict[int, object]:
    return {
        1: issuer,
        2: person.sub,
        4: expires_unix,
        6: issued_unix,
        7: cti,
        HEALTH: _health(person, medium, issued_unix),
    }


def _health(person: Person, medium: Medium, issued_unix: int) -> dict[int, object]:
    health = _person_fields(person, issued_unix)
    health[3] = int(medium)
    if medium is Medium.PAPER:
        health[9] = person.id_tail
    if person.companions:
        health[7] = [{**_person_fields(c, issued_unix), 10: c.sub} for c in person.companions]
    return health


def _person_fields(person: Person, issued_unix: int) -> dict[int, object]:
    """The fields that holder and companion share; test times count back from the time of issue."""
    fields: dict[int, object] = {1: person.colour, 2: person.name}
    if person.test:
        fields[4] = _test(person.test, issued_unix)
    if person.igg:
        fields[5] = _test(person.igg, issued_unix)
    if person.groups:
        fields[6] = list(person.groups)
    if person.arrival:
        region, age_s = person.arrival
        fields[8] = [region, issued_unix - age_s if person.arrival_unix is None else person.arrival_unix]
    return fields


def _test(test: Test, issued_unix: int) -> list[int]:
    return [test.result, test.taken(issued_unix)]
