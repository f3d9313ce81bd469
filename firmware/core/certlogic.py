"""CertLogic 1.3.3: the value of an expression over JSON-like data, for rules that must not be trusted to end.

Logic is CBOR as `encode_logic` makes it, and is evaluated in place: no tree of objects is built, a branch not
taken is stepped over. An explicit stack of frames stands in for recursion, for the ESP32's stack holds some
fifty calls only. Values are None, bool, int, str, list, dict with text keys, and DateTime; floats may stand
in data but are neither truthy nor falsy and fit no operation.

Truthy are True, integers but 0, and texts, arrays and objects that are not empty; falsy are False, None, 0
and what is empty. All else is neither, which `if`, `and` and `!` refuse.
"""

from firmware.core import cbor
from firmware.core import certlogic_dates as dates
from firmware.core.certlogic_dates import DateTime
from firmware.core.certlogic_read import CertLogicError, Packed, Reader, Source, text_of
from firmware.core.certlogic_values import contains, hold_result, same, truth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: Operations and arrays inside each other.
MAX_DEPTH = 32
#: Items of logic read, stepped over, or of data searched: some tenths of a second on the handheld.
MAX_STEPS = 20000
MAX_LOGIC_BYTES = 16384
#: The largest integer of which JSON's readers agree (RFC 8259 section 6).
MAX_INT = 0x1FFFFFFFFFFFFF

# The operations, and how few and many operands each takes. Their order is that of the numbers below.
# One constant of 16 bytes each stays in flash on the handheld.
_NAMES = (
    b"if              and             reduce          plusTime        extractFromUVCI "
    b"===             in              +               !               dccDateOfBirth  "
    b">               <               >=              <=              "
    b"after           before          not-before      not-after       "
)
_WIDTH = 16
_FEWEST = b"\x03\x02\x03\x03\x02\x02\x02\x02\x01\x01\x02\x02\x02\x02\x02\x02\x02\x02"
_MOST = b"\x03\xff\x03\x03\x02\x02\x02\x02\x01\x01\x03\x03\x03\x03\x03\x03\x03\x03"
_IF = 0
_AND = 1
_REDUCE = 2
_PLUS_TIME = 3
_EXTRACT = 4
_SAME = 5
_IN = 6
_PLUS = 7
_NOT = 8
_BIRTH = 9
_ABOVE = 10
_AFTER = 14
_ARRAY = 99


def evaluate(rule: object, data: object, max_depth: int = MAX_DEPTH, max_steps: int = MAX_STEPS) -> object:
    """The value of a rule given as JSON objects; raises CertLogicError.

    A result that is an array or object is held to the limits as well, so that whoever prints it ends.
    """
    value = run_logic(encode_logic(rule, max_depth), data, max_depth, max_steps)
    hold_result(value, max_depth, max_steps)
    return value


def run_logic(
    logic: bytes,
    data: object,
    max_depth: int = MAX_DEPTH,
    max_steps: int = MAX_STEPS,
    trace: "Callable[[int, int, object], None] | None" = None,
) -> object:
    """The value of logic in CBOR; raises CertLogicError.

    `trace` is told of every expression evaluated, inner ones first: where in `logic` it begins and ends, and
    its value.
    """
    return Machine(logic, 0, max_steps).whole_value(data, max_depth, trace)


def encode_logic(rule: object, max_depth: int = MAX_DEPTH) -> bytes:
    """The CBOR of a rule given as JSON objects; raises CertLogicError where it is over a limit."""
    try:
        # An operation is a map with an array in it.
        logic = cbor.dumps(rule, 2 * max_depth + 2)
    except cbor.CborError as e:
        raise CertLogicError(str(e)) from None
    if len(logic) > MAX_LOGIC_BYTES:
        raise CertLogicError("too long")
    return logic


class _Frame:
    """An operation under way: its operands so far, how many are to come, and the data they see.

    A reduce keeps its place in `got`: what it walks, how far it is, and where its lambda and its end lie.
    """

    __slots__ = ("data", "got", "left", "op", "start")

    def __init__(self) -> None:
        self.op = 0
        self.left = 0
        self.start = 0
        self.data: object = None
        self.got: "list[Any] | None" = None


class Machine(Reader):
    """A reader of logic with the values that come of it; `left` is what is left of the steps.

    One machine can evaluate one expression after the other: its frames are used again.
    """

    __slots__ = ("data_now", "frames", "result")

    def __init__(self, data: bytes, at: int, left: int) -> None:
        super().__init__(data, at, left)
        self.frames: list[_Frame] = []
        self.data_now: object = None
        self.result: object = None

    def whole_value(
        self,
        data: object,
        max_depth: int = MAX_DEPTH,
        trace: "Callable[[int, int, object], None] | None" = None,
    ) -> object:
        """The value of logic that ends where its bytes end."""
        value = self.value(data, max_depth, trace)
        if self.at != len(self.data):
            raise CertLogicError("trailing bytes")
        return value

    def value(
        self, data: object, max_depth: int, trace: "Callable[[int, int, object], None] | None"
    ) -> object:
        """The value of the expression at `at`."""
        frames = self.frames
        depth = 0
        self.data_now = data
        while True:
            start = self.at
            op = self.enter()
            if op >= 0:
                if depth >= max_depth:
                    raise CertLogicError("too deep")
                if depth == len(frames):
                    frames.append(_Frame())
                frame = frames[depth]
                frame.op = op
                frame.left = self.argument
                frame.start = start
                frame.data = self.data_now
                frame.got = None
                depth += 1
                continue
            # A value: hand it to the operation around it, and on as long as that completes another.
            while True:
                if trace is not None:
                    trace(start, self.at, self.result)
                if not depth:
                    return self.result
                frame = frames[depth - 1]
                self.data_now = frame.data
                if not self.take(frame, self.result):
                    break
                start = frame.start
                depth -= 1

    def enter(self) -> int:
        """Begin the next expression: an operation with `argument` operands to come, or -1 and a `result`."""
        first = self.head()
        if 0xA0 <= first < 0xC0:
            return self.operation()
        if 0x60 <= first < 0x80:
            self.result = self.text()
        elif 0x80 <= first < 0xA0:
            if self.argument:
                return _ARRAY
            self.result = []
        elif first < 0x40:
            if self.argument > MAX_INT:
                raise CertLogicError("integer")
            self.result = self.argument if first < 0x20 else -1 - self.argument
        elif first == 0xF4 or first == 0xF5:
            self.result = first == 0xF5
        else:
            raise CertLogicError("not an expression")
        return -1

    def operation(self) -> int:
        """Begin the operation whose map's head was just read, as `enter` does."""
        if self.argument != 1 or not 0x60 <= self.head() < 0x80:
            raise CertLogicError("one operation expected")
        name = self.raw()
        if name == b"var":
            if not 0x60 <= self.head() < 0x80:
                raise CertLogicError("path expected")
            self.result = self.drill(self.raw())
            return -1
        op = _number_of(name)
        count = self.count()
        if count < _FEWEST[op] or (count > _MOST[op] and op != _AND):
            raise CertLogicError("number of operands")
        return op

    def drill(self, path: bytes) -> object:
        """What lies at a path in the data, None where nothing does."""
        value: "Any" = self.data_now
        for fragment in text_of(path).split(".") if path else ():
            self.spend(1)
            kind = type(value)
            if kind is dict:
                value = value.get(fragment)
            elif kind is list:
                index = _index(fragment)
                value = value[index] if 0 <= index < len(value) else None
            elif kind is Packed and not value.is_map:
                value = value.element(_index(fragment), self)
            elif isinstance(value, Source):
                value = value.find(fragment, self)
            else:
                return None
        return value

    def take(self, frame: _Frame, value: object) -> bool:
        """Give an operation its next operand: True if that was the last and the outcome is in `result`."""
        op = frame.op
        frame.left -= 1
        if op == _IF:
            return self.take_if(frame, value)
        if op == _AND:
            if truth(value) is None:
                raise CertLogicError("neither true nor false")
            if not truth(value):
                self.pass_over(frame.left)
                frame.left = 0
            return frame.left == 0
        if op == _REDUCE:
            return self.take_reduce(frame, value)
        if op == _PLUS_TIME:
            self.result = self.plus_time(value)
            return True
        if op == _EXTRACT:
            self.result = self.extract(value)
            return True
        if frame.got is None:
            frame.got = [value]
        else:
            frame.got.append(value)
        if frame.left:
            return False
        self.result = frame.got if op == _ARRAY else self.apply(op, frame.got)
        return True

    def take_if(self, frame: _Frame, value: object) -> bool:
        """The guard of an `if`, then the value of the branch that it chose."""
        if frame.left == 2:
            chosen = truth(value)
            if chosen is None:
                raise CertLogicError("neither true nor false")
            if not chosen:
                self.pass_over(1)
                frame.left = 1
            return False
        # What is left is the branch not taken, if that is the last.
        self.pass_over(frame.left)
        return True

    def take_reduce(self, frame: _Frame, value: object) -> bool:
        """The array of a `reduce`, its initial value, then what came of its lambda, element by element."""
        state = frame.got
        if state is None:
            if value is not None and type(value) is not list and (type(value) is not Packed or value.is_map):
                raise CertLogicError("array expected")
            frame.got = [value, -1, self.at, 0]
            self.pass_over(1)
            return False
        if state[1] < 0:
            state[3] = self.at
        state[1] = index = state[1] + 1
        walked = state[0]
        if type(walked) is Packed:
            size = walked.count
        else:
            size = 0 if walked is None else len(walked)
        if index >= size:
            self.at = state[3]
            self.result = value
            return True
        current = walked.element(index, self) if type(walked) is Packed else walked[index]
        self.at = state[2]
        self.data_now = {"accumulator": value, "current": current, "data": frame.data}
        return False

    def integer(self) -> int:
        """A literal integer."""
        first = self.head()
        if first >= 0x40 or self.argument > MAX_INT:
            raise CertLogicError("integer expected")
        return self.argument if first < 0x20 else -1 - self.argument

    def plus_time(self, value: object) -> DateTime:
        """The moment that an operand names, moved by the amount and unit that follow."""
        amount = self.integer()
        if not 0x60 <= self.head() < 0x80:
            raise CertLogicError("unit expected")
        unit = self.text()
        if type(value) is not str:
            raise CertLogicError("date expected")
        ms = dates.parse(value.encode())
        if ms is not None:
            ms = dates.plus(ms, amount, unit)
        if ms is None:
            raise CertLogicError("date or unit")
        return DateTime(ms)

    def extract(self, value: object) -> str | None:
        """The fragment of a certificate's identifier with the index that follows, None if there is none."""
        index = self.integer()
        if value is None:
            return None
        if type(value) is not str:
            raise CertLogicError("identifier expected")
        raw = value.encode().replace(b"/", b":").replace(b"#", b":")
        if value.startswith("URN:UVCI:"):
            raw = raw[9:]
        fragments = raw.split(b":")
        self.spend(len(fragments))
        return text_of(fragments[index]) if 0 <= index < len(fragments) else None

    def apply(self, op: int, got: list[object]) -> object:
        """The outcome of an operation that has all its operands."""
        if op == _SAME:
            return same(got[0], got[1], self)
        if op == _IN:
            return contains(got[1], got[0], self)
        if op == _NOT:
            negated = truth(got[0])
            if negated is None:
                raise CertLogicError("neither true nor false")
            return not negated
        if op == _BIRTH:
            days = dates.parse_date(got[0].encode()) if type(got[0]) is str else None
            if days is None:
                raise CertLogicError("date expected")
            return DateTime(days * dates.DAY_MS)
        numbers = [_number(value, op) for value in got]
        if op == _PLUS:
            total = numbers[0] + numbers[1]
            if not -MAX_INT <= total <= MAX_INT:
                raise CertLogicError("integer")
            return total
        # Four of each kind, in the same order.
        op = (op - _ABOVE) % 4
        for i in range(len(numbers) - 1):
            left, right = numbers[i], numbers[i + 1]
            if op == 0:
                holds = left > right
            elif op == 1:
                holds = left < right
            elif op == 2:
                holds = left >= right
            else:
                holds = left <= right
            if not holds:
                return False
        return True


def _number_of(name: bytes) -> int:
    """The number of an operation; raises CertLogicError for what is none."""
    at = -1 if not name or b" " in name else _NAMES.find(name)
    while at >= 0:
        if at % _WIDTH == 0 and _NAMES[at + len(name)] == 0x20:
            return at // _WIDTH
        at = _NAMES.find(name, at + 1)
    raise CertLogicError("unknown operation")


def _index(fragment: str) -> int:
    """The array index that a fragment of a path is, -1 if it is none."""
    # CPython's texts have digits of other scripts too.
    raw = fragment.encode()
    return int(raw) if raw.isdigit() and len(raw) < 9 else -1


def _number(value: object, op: int) -> int:
    """What an operation compares or adds: an integer, or a date-time's milliseconds."""
    if op < _AFTER and type(value) is int:
        return value
    if op >= _AFTER and type(value) is DateTime:
        return value.ms
    raise CertLogicError("operand")
