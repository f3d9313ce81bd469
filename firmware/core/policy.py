"""What speaks against a person at the door: what the code and the clock say, what the pack revokes, what its
rules find. Time, scene and pack are passed in; nothing passes because something could not be looked up.
"""

from firmware.core import codes, pack, reasons, rules
from firmware.core.certlogic_read import CertLogicError, Source
from firmware.core.rule_data import code_data, dcc_payload, external_data, no_code_data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from firmware.core.certlogic_read import Reader
    from firmware.core.codes import Code, Person
    from firmware.core.packview import Pack
    from firmware.core.scene import Scene

# Parts that no decision rests on: without its texts a reason is still a reason.
_DECIDE_NOTHING = 1 << pack.TEXTS | 1 << pack.SEALING_KEY | 1 << pack.CONFIG


class Case:
    """Who stands where: a code and one of its people, or neither where the scene needs no code.

    `role` is that of the pack's roster; `now_unix` is None where the clock is not to be trusted.
    """

    __slots__ = ("code", "now_unix", "person", "place", "role", "scene")

    def __init__(
        self,
        code: "Code | None",
        person: "Person | None",
        scene: "Scene",
        place: str,
        role: int,
        now_unix: int | None,
    ) -> None:
        self.code = code
        self.person = person
        self.scene = scene
        self.place = place
        self.role = role
        self.now_unix = now_unix


class _ValueSets(Source):
    """The pack's value sets, fetched one by one when a rule asks."""

    __slots__ = ("_pack",)

    def __init__(self, current: "Pack") -> None:
        self._pack = current

    def find(self, key: str, steps: "Reader") -> object:
        """The set of this name; it costs a rule as much as sixteen items."""
        steps.spend(16)
        return self._pack.value_set(key)


def judge_steps(case: Case, current: "Pack | None") -> "Generator[None, None, list[int]]":
    """The reasons against a case under the pack in force, stops first, remarks last; yields between slices.

    An empty list lets the person go on to the scene's other steps. Never raises for anything that a code or
    a pack holds.
    """
    found = _clock_and_code(case)
    if current is None:
        found.append(reasons.NO_TRUST_LIST)
        return _sorted(found)
    if case.now_unix is not None and case.now_unix >= current.expires_unix:
        found.append(reasons.TRUST_EXPIRED)
    _revoked(case, current, found)
    yield None
    try:
        data = _data(case, current)
        outcomes = yield from rules.judge_steps(current.rules(), data)
        found.extend([outcome.reason for outcome in outcomes])
    except CertLogicError:
        found.append(reasons.RULE_ERROR)
    if current.damaged & ~_DECIDE_NOTHING:
        found.append(reasons.PACK_DAMAGED)
    return _sorted(found)


def _clock_and_code(case: Case) -> list[int]:
    """What the code's own times say. Without a code only the clock is asked for."""
    code, now_unix = case.code, case.now_unix
    if now_unix is None:
        return [reasons.CLOCK_UNTRUSTED]
    found: list[int] = []
    if code is None:
        return found
    if now_unix >= code.expires_unix:
        found.append(reasons.EXPIRED)
    if code.issued_unix > now_unix + case.scene.future_tolerance_s:
        found.append(reasons.NOT_YET_VALID)
    elif code.kind == codes.KIND_LIVE and now_unix - code.issued_unix > case.scene.live_max_age_s:
        found.append(reasons.STALE)
    return found


def _revoked(case: Case, current: "Pack", found: list[int]) -> None:
    """What the pack revokes: the issuer's key, this code, this person."""
    code, person = case.code, case.person
    if code is None:
        return
    if current.revoked(pack.KEY, code.kid):
        found.append(reasons.KEY_WITHDRAWN)
    if current.revoked(pack.CODE, code.cti):
        found.append(reasons.CODE_REVOKED)
    if person is not None and person.sub and current.revoked(pack.SUBJECT, person.sub):
        found.append(reasons.SUBJECT_REVOKED)


def _data(case: Case, current: "Pack") -> dict[str, object]:
    """What the rules see. Raises CertLogicError."""
    code, person = case.code, case.person
    external = external_data(code, case.now_unix, case.scene.id, case.place, case.role, _ValueSets(current))
    if code is None or person is None:
        return {"code": no_code_data(), "payload": None, "external": external}
    payload = dcc_payload(code.payload) if code.kind == codes.KIND_DCC else None
    return {"code": code_data(code, person), "payload": payload, "external": external}


def _sorted(found: list[int]) -> list[int]:
    """Every reason once: stops, then what needs a look, then remarks, each in the order found."""
    ordered: list[int] = []
    for verdict in (reasons.STOP, reasons.ATTENTION, reasons.PASS):
        for reason in found:
            if reasons.verdict_of(reason) == verdict and reason not in ordered:
                ordered.append(reason)
    return ordered
