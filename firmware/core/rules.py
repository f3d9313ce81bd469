"""Rules: what the authority's pack says of a code at this door (docs/formats.md, "Rules").

A rule is a CertLogic expression with the reason that it gives and a selector: the kinds of code, the scenes,
the countries and certificates it speaks of. It stays a record of bytes until its turn, for there is no room
for trees of objects. The verdict follows from the reason's number (reasons.py).

What does not decide never passes: a rule that errs gives RULE_ERROR, and where no rule names the code's kind
the outcome is NO_RULES, of an EU certificate FOREIGN_MANUAL.
"""

from firmware.core import cbor, certlogic, reasons, shape
from firmware.core.certlogic_read import CertLogicError, text_of
from firmware.core.codes import KIND_DCC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

MAX_RECORD_BYTES = 4096
#: Rules looked at for one person, and steps spent on all of them.
MAX_RULES = 256
MAX_STEPS = 60000
#: Places in the data that are remembered from one rule to the next.
_KNOWN = 16
#: What `kinds` calls a boarding without a code.
KIND_NONE = 0

_ID = 1
_REASON = 2
_PRIORITY = 3
_LOGIC = 4
_MUST_HOLD = 5
_KINDS = 6
_SCENES = 7
_NOT_SCENES = 8
_COUNTRIES = 9
_GROUPS = 10
_SPAN = 11
_REASON_MAX = 3999


class Rule:
    """A rule, its logic in CBOR.

    With `must_hold` the reason is given unless the logic is true, else if it is true. Rules with a low
    `priority` number come first. An empty selector speaks of all; `groups` are "v", "t" and "r" of an EU
    certificate, `countries` those that issued it. `span` is the first and last second of validity.
    """

    __slots__ = (
        "countries",
        "groups",
        "id",
        "kinds",
        "logic",
        "must_hold",
        "not_scenes",
        "priority",
        "reason",
        "scenes",
        "span",
    )

    def __init__(self, id: str, reason: int, logic: bytes, priority: int = 100) -> None:
        self.id = id
        self.reason = reason
        self.logic = logic
        self.priority = priority
        self.must_hold = False
        self.kinds: list[object] = []
        self.scenes: list[object] = []
        self.not_scenes: list[object] = []
        self.countries: list[object] = []
        self.groups: list[object] = []
        self.span: tuple[int, int] | None = None

    def applies(self, data: dict[str, object]) -> bool:
        """Whether the rule speaks of this case; without a clock (`now` None) it does at any time."""
        code, external = _part(data, "code"), _part(data, "external")
        if self.kinds and code.get("kind") not in self.kinds:
            return False
        scene = external.get("scene")
        if (self.scenes and scene not in self.scenes) or scene in self.not_scenes:
            return False
        if self.countries and external.get("issuerCountryCode") not in self.countries:
            return False
        if self.groups:
            payload = _part(data, "payload")
            if not any(payload.get(group) for group in self.groups):  # type: ignore[call-overload]
                return False
        now_unix = external.get("now")
        if self.span is None or type(now_unix) is not int:
            return True
        return self.span[0] <= now_unix <= self.span[1]


class Outcome:
    """What one rule found: a reason, its verdict (reasons.PASS for a remark), and where it ranks."""

    __slots__ = ("priority", "reason", "rule", "verdict")

    def __init__(self, reason: int, priority: int, rule: str) -> None:
        self.reason = reason
        self.priority = priority
        self.rule = rule
        self.verdict = reasons.verdict_of(reason)


def encode_rule(rule: Rule) -> bytes:
    """The rule's record; raises CertLogicError if it would not be accepted."""
    fields: dict[int, object] = {
        _ID: rule.id,
        _REASON: rule.reason,
        _PRIORITY: rule.priority,
        _LOGIC: rule.logic,
    }
    if rule.must_hold:
        fields[_MUST_HOLD] = 1
    for key, values in (
        (_KINDS, rule.kinds),
        (_SCENES, rule.scenes),
        (_NOT_SCENES, rule.not_scenes),
        (_COUNTRIES, rule.countries),
        (_GROUPS, rule.groups),
    ):
        if values:
            fields[key] = values
    if rule.span is not None:
        fields[_SPAN] = list(rule.span)
    try:
        record = cbor.dumps(fields)
    except cbor.CborError as e:
        raise CertLogicError(str(e)) from None
    parse_rule(record)
    return record


def parse_rule(record: bytes) -> Rule:
    """The rule of a record; its logic is looked at when it is evaluated. Raises CertLogicError."""
    if len(record) > MAX_RECORD_BYTES:
        raise CertLogicError("rule too long")
    try:
        fields = shape.mapping(
            cbor.loads(record, 2, 160),
            (_ID, _REASON, _PRIORITY, _LOGIC),
            (_MUST_HOLD, _KINDS, _SCENES, _NOT_SCENES, _COUNTRIES, _GROUPS, _SPAN),
        )
        rule = Rule(
            shape.text(fields[_ID], 40, 1),
            shape.uint(fields[_REASON], _REASON_MAX),
            shape.octets(fields[_LOGIC], 1, MAX_RECORD_BYTES),
            shape.uint(fields[_PRIORITY], 255),
        )
        if rule.reason == reasons.OK:
            raise CertLogicError("reason")
        if _MUST_HOLD in fields:
            rule.must_hold = shape.uint(fields[_MUST_HOLD], 1) == 1
        if _KINDS in fields:
            rule.kinds = shape.array(fields[_KINDS], 1, 4)
            for kind in rule.kinds:
                shape.uint(kind, KIND_DCC)
        rule.scenes = _texts(fields, _SCENES, 16, 32)
        rule.not_scenes = _texts(fields, _NOT_SCENES, 16, 32)
        rule.countries = _texts(fields, _COUNTRIES, 64, 3)
        rule.groups = _texts(fields, _GROUPS, 3, 1)
        if _SPAN in fields:
            first, last = shape.array(fields[_SPAN], 2, 2)
            rule.span = (shape.unix(first), shape.unix(last))
    except (cbor.CborError, shape.ShapeError) as e:
        raise CertLogicError(str(e)) from None
    return rule


def judge(records: "Iterable[bytes]", data: dict[str, object]) -> list[Outcome]:
    """What rules find in a case, stops first, then attention, then remarks, each by priority.

    `data` is that of rule_data.py. A reason is given once.
    """
    steps = judge_steps(records, data)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: list[Outcome] = end.value
            return found


def judge_steps(
    records: "Iterable[bytes]",
    data: dict[str, object],
    seen: "Callable[[bytes, object], None] | None" = None,
) -> "Generator[None, None, list[Outcome]]":
    """As `judge`, yielding None after every rule. `seen` is told of rules that applied, and their values."""
    found: list[Outcome] = []
    case = _Case(data)
    left = MAX_STEPS
    decided = False
    for count, record in enumerate(records):
        if count >= MAX_RULES or left <= 0:
            _add(found, reasons.RULE_ERROR, 0, case.id)
            break
        allowed = min(left, certlogic.MAX_STEPS)
        case.left = allowed
        try:
            case.read(record)
            if case.applies:
                decided = decided or case.names_kind
                value = case.answer()
                if seen is not None:
                    seen(record, value)
                if value is not True and value is not False:
                    raise CertLogicError("neither true nor false")
                if value is not case.must_hold:
                    _add(found, case.reason, case.priority, case.id)
        except (CertLogicError, MemoryError):
            # Whatever the rule would have found, it did not let anyone pass.
            _add(found, reasons.RULE_ERROR, 0, case.id)
        left -= allowed - max(0, case.left)
        yield None
    if not decided:
        _add(found, reasons.FOREIGN_MANUAL if case.kind == KIND_DCC else reasons.NO_RULES, 255, "")
    found.sort(key=_rank)
    return found


class _Case(certlogic.Machine):
    """A person's case, with the rule at hand: what its record says, and whether it speaks of the case.

    Records are read where they lie, one after the other by the same object: a Rule for each would be more
    garbage than the handheld has room for.
    """

    __slots__ = (
        "applies",
        "country",
        "id",
        "kind",
        "known",
        "logic_at",
        "logic_end",
        "must_hold",
        "names_kind",
        "now_unix",
        "payload",
        "priority",
        "reason",
        "scene",
        "whole_data",
    )

    def __init__(self, data: dict[str, object]) -> None:
        super().__init__(b"", 0, 0)
        external = _part(data, "external")
        self.kind = _part(data, "code").get("kind")
        self.scene = external.get("scene")
        self.country = external.get("issuerCountryCode")
        self.now_unix = external.get("now")
        self.payload = _part(data, "payload")
        self.id = ""
        self.whole_data = data
        self.known: dict[bytes, object] = {}

    def drill(self, path: bytes) -> object:
        """As a Machine's, without walking to the same place for every rule."""
        if self.data_now is not self.whole_data:
            return super().drill(path)
        if path in self.known:
            return self.known[path]
        value = super().drill(path)
        if len(self.known) < _KNOWN:
            self.known[path] = value
        return value

    def answer(self) -> object:
        """The value of the logic of the record that was read."""
        self.at = self.logic_at
        value = self.value(self.whole_data, certlogic.MAX_DEPTH, None)
        if self.at != self.logic_end:
            raise CertLogicError("end of logic")
        return value

    def read(self, record: bytes) -> None:
        """Read a record; raises CertLogicError where `parse_rule` does."""
        self.data = record
        self.at = 0
        self.id = ""
        self.applies = True
        self.must_hold = self.names_kind = False
        if len(record) > MAX_RECORD_BYTES or not 0xA0 <= self.head() < 0xC0:
            raise CertLogicError("record")
        last = 0
        for _ in range(self.argument):
            key = self.uint(_SPAN)
            # Deterministic CBOR has its keys in order; those that every rule has come first.
            if key <= last or (key > last + 1 and last < _LOGIC):
                raise CertLogicError("key")
            last = key
            if key == _ID:
                self.id = self.string(40)
            elif key == _REASON:
                self.reason = self.uint(_REASON_MAX)
            elif key == _PRIORITY:
                self.priority = self.uint(255)
            elif key == _LOGIC:
                self.logic_at, self.logic_end = self.span(0x40)
            elif key == _MUST_HOLD:
                self.must_hold = self.uint(1) == 1
            else:
                self.select(key)
        if last < _LOGIC or self.at != len(record) or self.reason == reasons.OK:
            raise CertLogicError("record")

    def select(self, key: int) -> None:
        """Read a selector, and clear `applies` where it does not choose this case."""
        count = self.count()
        if not 1 <= count <= (64 if key == _COUNTRIES else 16):
            raise CertLogicError("selector")
        chosen = False
        if key == _SPAN:
            first, last = self.uint(shape.UNIX_MAX), self.uint(shape.UNIX_MAX)
            chosen = type(self.now_unix) is not int or first <= self.now_unix <= last
            count -= 2
        elif key == _KINDS:
            for _ in range(count):
                chosen = self.uint(KIND_DCC) == self.kind or chosen
            self.names_kind = chosen
            count = max(0, count - 4)
        else:
            for _ in range(count):
                text = self.string(1 if key == _GROUPS else 3 if key == _COUNTRIES else 32)
                if key == _GROUPS:
                    chosen = bool(self.payload.get(text)) or chosen
                else:
                    chosen = text == (self.country if key == _COUNTRIES else self.scene) or chosen
            count = max(0, count - 3) if key == _GROUPS else 0
            if key == _COUNTRIES:
                # A rule of the issuing country says who is out, never who is in.
                self.names_kind = False
        if count:
            raise CertLogicError("selector")
        if chosen == (key == _NOT_SCENES):
            self.applies = False

    def uint(self, limit: int) -> int:
        """A number from 0 to `limit`."""
        if self.head() >= 0x20 or self.argument > limit:
            raise CertLogicError("number expected")
        return self.argument

    def span(self, major: int) -> tuple[int, int]:
        """Where the string of this major type begins and ends that comes next; it is stepped over."""
        if not major <= self.head() < major + 0x20 or not self.argument:
            raise CertLogicError("string expected")
        start = self.at
        self.at += self.argument
        if self.at > len(self.data):
            raise CertLogicError("truncated")
        return start, self.at

    def string(self, limit: int) -> str:
        """A text of 1 to `limit` bytes."""
        start, end = self.span(0x60)
        if end - start > limit:
            raise CertLogicError("text too long")
        return text_of(self.data[start:end])


def _add(found: list[Outcome], reason: int, priority: int, id: str) -> None:
    """Keep an outcome, of two with the same reason the one that ranks first."""
    one = Outcome(reason, priority, id)
    for i in range(len(found)):
        if found[i].reason == reason:
            if _rank(one) < _rank(found[i]):
                found[i] = one
            return
    found.append(one)


def _rank(one: Outcome) -> tuple[int, int, int, str]:
    """Where an outcome stands in the list."""
    first = 0 if one.verdict == reasons.STOP else 1 if one.verdict == reasons.ATTENTION else 2
    return first, one.priority, one.reason, one.rule


def _part(data: dict[str, object], name: str) -> dict[str, object]:
    """A part of the case's data, empty where there is none."""
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _texts(fields: dict[int, object], key: int, count: int, length: int) -> list[object]:
    """A selector: a list of texts, empty where the field is missing. Raises ShapeError."""
    if key not in fields:
        return []
    values = shape.array(fields[key], 1, count)
    for value in values:
        shape.text(value, length, 1)
    return values
