"""CBOR read in place: the logic of a rule, and value sets too large to be decoded on the handheld.

What is read was written by `cbor.dumps`: definite lengths, keys of text. Nothing recurses, so that no nesting
can exhaust the interpreter's stack, and every item read, evaluated or stepped over, is paid for from one
allowance of steps.
"""

from firmware.core.errors import CoreError


class CertLogicError(CoreError):
    """A rule that is not CertLogic, that its data do not fit, or that is over a limit."""


class Reader:
    """A position in CBOR bytes; `left` is what is left of the allowance of steps.

    `argument` is that of the last head read.
    """

    __slots__ = ("argument", "at", "data", "left")

    def __init__(self, data: bytes, at: int, left: int) -> None:
        self.data = data
        self.at = at
        self.left = left
        self.argument = 0

    def spend(self, steps: int) -> None:
        """Pay for `steps` steps."""
        self.left -= steps
        if self.left < 0:
            raise CertLogicError("too many steps")

    def head(self) -> int:
        """The first byte of the next item; its argument goes to `argument` (RFC 8949 section 3)."""
        self.left -= 1
        if self.left < 0:
            raise CertLogicError("too many steps")
        data, at = self.data, self.at
        if at >= len(data):
            raise CertLogicError("truncated")
        first = data[at]
        argument = first & 31
        at += 1
        if argument > 23:
            if argument > 27:
                raise CertLogicError("encoding")
            end = at + (1 << (argument - 24))
            if end > len(data):
                raise CertLogicError("truncated")
            argument = 0
            while at < end:
                argument = argument << 8 | data[at]
                at += 1
        self.argument = argument
        self.at = at
        return first

    def raw(self) -> bytes:
        """The bytes of the string whose head was just read."""
        end = self.at + self.argument
        if end > len(self.data):
            raise CertLogicError("truncated")
        raw = self.data[self.at : end]
        self.at = end
        return raw

    def text(self) -> str:
        """The text whose head was just read."""
        return text_of(self.raw())

    def count(self) -> int:
        """The head of an array; how many elements follow."""
        if not 0x80 <= self.head() < 0xA0:
            raise CertLogicError("array expected")
        return self.argument

    def pass_over(self, count: int) -> None:
        """Step over the next `count` items with all that is in them."""
        data = self.data
        size = len(data)
        while count > 0:
            count -= 1
            # Most are small numbers, short strings and small arrays, with a head of one byte.
            at = self.at
            if at < size and self.left > 0:
                first = data[at]
                short = first & 31
                if short < 24 and (first < 0xC0 or first >= 0xE0):
                    self.left -= 1
                    self.at = at = at + 1
                    if 0x40 <= first < 0xE0:
                        if short > size - at:
                            raise CertLogicError("truncated")
                        if first < 0x80:
                            self.at = at + short
                        else:
                            count += short if first < 0xA0 else short + short
                    continue
            first = self.head()
            if first < 0x40 or first >= 0xE0:
                continue
            if first < 0x80:
                self.at += self.argument
                if self.at > len(self.data):
                    raise CertLogicError("truncated")
            elif self.argument > len(self.data) - self.at:
                raise CertLogicError("truncated")
            elif first < 0xA0:
                count += self.argument
            elif first < 0xC0:
                count += 2 * self.argument
            else:
                count += 1


def text_of(raw: bytes) -> str:
    """`raw` as text; raises CertLogicError unless it is UTF-8."""
    try:
        return raw.decode()
    except UnicodeError:
        raise CertLogicError("text") from None


class Source:
    """What stands in a data context for an object whose values are fetched when `var` asks for them."""

    __slots__ = ()

    def find(self, key: str, steps: Reader) -> object:
        """The value under a key, None if there is none; `steps` pays for what it takes."""
        return None


class Packed(Source):
    """An array or a map of a data context that stays as it lies in CBOR, however large it is.

    `var` drills into it, `in` searches it and `reduce` walks it without decoding the whole; what is met of
    further arrays and maps is Packed again. Read only.
    """

    __slots__ = ("at", "count", "data", "is_map")

    def __init__(self, data: bytes, at: int = 0) -> None:
        reader = Reader(data, at, 1)
        first = reader.head()
        if not 0x80 <= first < 0xC0:
            raise CertLogicError("array or map expected")
        self.data = data
        self.at = reader.at
        self.count = reader.argument
        self.is_map = first >= 0xA0

    def find(self, key: str, steps: Reader) -> object:
        """The value under a key of a map, None if there is none; `steps` pays."""
        wanted = key.encode()
        reader = Reader(self.data, self.at, steps.left)
        value: object = None
        for _ in range(self.count if self.is_map else 0):
            first = reader.head()
            if not 0x60 <= first < 0x80:
                raise CertLogicError("key")
            if reader.raw() == wanted:
                value = _item(reader)
                break
            reader.pass_over(1)
        steps.left = reader.left
        return value

    def element(self, index: int, steps: Reader) -> object:
        """An element of an array by its index from 0, None if there is none; `steps` pays."""
        if self.is_map or not 0 <= index < self.count:
            return None
        reader = Reader(self.data, self.at, steps.left)
        reader.pass_over(index)
        value = _item(reader)
        steps.left = reader.left
        return value

    def holds(self, wanted: bytes, steps: Reader) -> bool:
        """Whether an element's encoding is `wanted`; `steps` pays."""
        reader = Reader(self.data, self.at, steps.left)
        found = False
        for _ in range(0 if self.is_map else self.count):
            start = reader.at
            reader.pass_over(1)
            if reader.at - start == len(wanted) and self.data[start : reader.at] == wanted:
                found = True
                break
        steps.left = reader.left
        return found


def _item(reader: Reader) -> object:
    """The next item: a scalar as its value, an array or map as Packed. It is not stepped over then."""
    start = reader.at
    first = reader.head()
    if first < 0x20:
        return reader.argument
    if first < 0x40:
        return -1 - reader.argument
    if 0x60 <= first < 0x80:
        return reader.text()
    if 0x80 <= first < 0xC0:
        return Packed(reader.data, start)
    if first == 0xF4 or first == 0xF5:
        return first == 0xF5
    if first == 0xF6:
        return None
    raise CertLogicError("value")
