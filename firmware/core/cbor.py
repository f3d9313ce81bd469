"""CBOR (RFC 8949): a strict reader with limits and a deterministic writer.

The reader takes definite and indefinite lengths, as codes from elsewhere use both. It refuses what a checker
must not guess about: trailing bytes, a key given twice, text that is not UTF-8, map keys other than numbers
and text, `undefined` and unassigned simple values. Both interpreters answer alike; only a float64 loses
digits on the ESP32.
"""

import struct

from firmware.core.errors import CoreError

MAX_DEPTH = 8
MAX_ITEMS = 2048

_INDEFINITE = -1
_BREAK = 0xFF
# RFC 3629, section 4: what no text has, and what the second byte must be within after some first ones.
_NEVER = (b"\xc0", b"\xc1", b"\xf5", b"\xf6", b"\xf7")
_SECOND_BYTES = ((b"\xe0", 0xA0, 0xBF), (b"\xed", 0x80, 0x9F), (b"\xf0", 0x90, 0xBF), (b"\xf4", 0x80, 0x8F))


class CborError(CoreError):
    """Bytes that are not well-formed CBOR within the limits, or an object that CBOR here has no form for."""


class Tag:
    """A tagged value (RFC 8949 section 3.4); the tag is kept, never interpreted."""

    __slots__ = ("number", "value")

    def __init__(self, number: int, value: object) -> None:
        self.number = number
        self.value = value

    def __eq__(self, other: object) -> bool:
        """Equal number and value."""
        return isinstance(other, Tag) and self.number == other.number and self.value == other.value

    def __hash__(self) -> int:
        """Alike for equal tags; the value may not be hashable."""
        return hash(self.number)

    def __repr__(self) -> str:
        """For a developer's eyes."""
        return "Tag(%d, %r)" % (self.number, self.value)


def loads(
    data: bytes, max_depth: int = MAX_DEPTH, max_items: int = MAX_ITEMS, unread: tuple[str, ...] = ()
) -> object:
    """The one object that `data` holds; raises CborError.

    `max_depth` bounds nesting (arrays, maps, tags), `max_items` the number of data items in all. The values
    under the keys named in `unread`, at any level, come out as None: they are held to the limits and to the
    form of CBOR (RFC 8949 section 5.3.1), but what they say is not looked at, and costs no memory.
    """
    reader = _Reader(data if type(data) is bytes else bytes(data), max_items, unread)
    value = reader.item(max_depth)
    if reader.at != len(reader.data):
        raise CborError("trailing bytes")
    return value


class _Reader:
    """A position in bytes and what is left of the allowance of items.

    `argument` is that of the last head. Methods that run for every item return no tuples and cut no slices:
    each would be garbage.
    """

    __slots__ = ("argument", "at", "data", "left", "unread")

    def __init__(self, data: bytes, left: int, unread: tuple[str, ...]) -> None:
        self.data = data
        self.at = 0
        self.left = left
        self.unread = unread
        self.argument = 0

    def head(self) -> int:
        """The first byte of the next item; its argument (-1 for indefinite) goes to `argument`."""
        self.left -= 1
        if self.left < 0:
            raise CborError("too many items")
        data, at = self.data, self.at
        if at >= len(data):
            raise CborError("truncated")
        first = data[at]
        info = first & 31
        at += 1
        if info < 24:
            self.argument = info
        elif info < 28:
            end = at + (1 << (info - 24))
            if end > len(data):
                raise CborError("truncated")
            argument = 0
            while at < end:
                argument = argument << 8 | data[at]
                at += 1
            self.argument = argument
        elif info == 31 and 0x40 <= first < 0xC0:
            self.argument = _INDEFINITE
        else:
            raise CborError("reserved")
        self.at = at
        return first

    def skip(self, size: int) -> int:
        """Step over the next `size` bytes; returns where they begin."""
        at = self.at
        if size > len(self.data) - at:
            raise CborError("truncated")
        self.at = at + size
        return at

    def ends(self) -> bool:
        """Whether a break stands here; it is stepped over."""
        if self.at >= len(self.data):
            raise CborError("truncated")
        if self.data[self.at] != _BREAK:
            return False
        self.at += 1
        return True

    def item(self, depth: int) -> object:
        """The next data item with at most `depth` levels below the caller's."""
        data, at = self.data, self.at
        first = data[at] if at < len(data) else _BREAK
        argument = first & 31
        if first < 0x80 and argument < 24 and self.left > 0:
            # Most are small numbers and short strings, with a head of one byte.
            self.left -= 1
            at += 1
            self.at = at
            if first < 0x20:
                return argument
            if first < 0x40:
                return -1 - argument
            end = at + argument
            if end > len(data):
                raise CborError("truncated")
            self.at = end
            return data[at:end] if first < 0x60 else _text(data[at:end])
        first = self.head()
        argument = self.argument
        if first < 0x20:
            return argument
        if first < 0x40:
            return -1 - argument
        if first < 0x60:
            if argument == _INDEFINITE:
                return b"".join(self.chunks(2))
            at = self.skip(argument)
            return self.data[at : self.at]
        if first < 0x80:
            if argument == _INDEFINITE:
                return "".join([_text(chunk) for chunk in self.chunks(3)])
            at = self.skip(argument)
            return _text(self.data[at : self.at])
        if first >= 0xE0:
            return self.simple(first & 31, argument)
        if depth < 1:
            raise CborError("too deep")
        if first < 0xA0:
            return self.array(argument, depth - 1)
        if first < 0xC0:
            return self.map(argument, depth - 1)
        return Tag(argument, self.item(depth - 1))

    def chunks(self, major: int) -> list[bytes]:
        """The definite chunks of an indefinite string (RFC 8949 section 3.2.3)."""
        found = []
        while not self.ends():
            if self.head() >> 5 != major or self.argument == _INDEFINITE:
                raise CborError("chunk")
            at = self.skip(self.argument)
            found.append(self.data[at : self.at])
        return found

    def array(self, count: int, depth: int) -> list[object]:
        """The elements of an array of `count`."""
        values: list[object] = []
        if count == _INDEFINITE:
            while not self.ends():
                values.append(self.item(depth))
            return values
        # Every element takes a byte at least, so a length that lies is refused before the loop begins.
        if count > len(self.data) - self.at:
            raise CborError("truncated")
        for _ in range(count):
            values.append(self.item(depth))
        return values

    def map(self, count: int, depth: int) -> dict[object, object]:
        """The pairs of a map of `count`."""
        values: dict[object, object] = {}
        if count == _INDEFINITE:
            while not self.ends():
                self.pair(values, depth)
            return values
        if count > (len(self.data) - self.at) // 2:
            raise CborError("truncated")
        for _ in range(count):
            self.pair(values, depth)
        return values

    def pair(self, values: dict[object, object], depth: int) -> None:
        """One key and its value into `values`."""
        key = self.item(0)
        if type(key) is not int and type(key) is not str:
            raise CborError("map key")
        if key in values:
            raise CborError("duplicate key")
        if key in self.unread:
            self.pass_over(depth, 1)
            values[key] = None
        else:
            values[key] = self.item(depth)

    def pass_over(self, depth: int, count: int) -> None:
        """The next `count` data items, held to their form and the limits only."""
        data, at, left = self.data, self.at, self.left
        size = len(data)
        while count > 0:
            count -= 1
            # As in `item`, most have a head of one byte. A string that goes too far is found below.
            first = data[at] if at < size else _BREAK
            if first < 0x80 and first & 31 < 24 and left > 0:
                left -= 1
                at += 1 + (first & 31) if first >= 0x40 else 1
                continue
            self.at, self.left = at, left
            first = self.head()
            argument = self.argument
            if first < 0x40:
                pass
            elif first < 0x80:
                if argument == _INDEFINITE:
                    while not self.ends():
                        if self.head() >> 5 != first >> 5 or self.argument == _INDEFINITE:
                            raise CborError("chunk")
                        self.skip(self.argument)
                else:
                    self.skip(argument)
            elif first >= 0xE0:
                self.simple(first & 31, argument)
            elif depth < 1:
                raise CborError("too deep")
            elif argument == _INDEFINITE:
                while not self.ends():
                    self.pass_over(depth - 1, 1 if first < 0xA0 else 2)
            else:
                if first >= 0xC0:
                    argument = 1
                elif first >= 0xA0:
                    argument *= 2
                if argument > size - self.at:
                    raise CborError("truncated")
                self.pass_over(depth - 1, argument)
            at, left = self.at, self.left
        if at > size:
            raise CborError("truncated")
        self.at, self.left = at, left

    def simple(self, info: int, argument: int) -> object:
        """false, true, null or a float (RFC 8949 section 3.3)."""
        if info == 20:
            return False
        if info == 21:
            return True
        if info == 22:
            return None
        if info == 25:
            return _half(argument)
        if info == 26:
            return struct.unpack(">f", self.data[self.at - 4 : self.at])[0]
        if info == 27:
            return struct.unpack(">d", self.data[self.at - 8 : self.at])[0]
        raise CborError("simple value")


def _half(bits: int) -> float:
    """A 16-bit float (IEEE 754 binary16; RFC 8949 appendix D)."""
    exponent = bits >> 10 & 31
    fraction = bits & 0x3FF
    if exponent == 0:
        value = fraction * 2.0**-24
    elif exponent < 31:
        value = (fraction + 1024) * 2.0 ** (exponent - 25)
    else:
        value = float("nan") if fraction else float("inf")
    return -value if bits & 0x8000 else value


def _text(raw: bytes) -> str:
    """`raw` as text; raises CborError unless it is UTF-8 (RFC 3629).

    MicroPython checks the bytes' pattern only: overlong forms, surrogates and numbers past U+10FFFF are found
    here, in the bytes: it would keep every character that a loop over the text meets, for ever.
    """
    try:
        text = raw.decode()
    except UnicodeError:
        raise CborError("text") from None
    if len(text) != len(raw):
        for byte in _NEVER:
            if raw.find(byte) >= 0:
                raise CborError("text")
        for first, low, high in _SECOND_BYTES:
            # The pattern was found in order, so a second byte is there.
            at = raw.find(first)
            while at >= 0:
                if not low <= raw[at + 1] <= high:
                    raise CborError("text")
                at = raw.find(first, at + 1)
    return text


def head(major: int, argument: int) -> bytes:
    """The shortest head of an item of `major` type with `argument` (RFC 8949 section 4.2.1)."""
    if argument < 0:
        raise CborError("integer")
    if argument < 24:
        return bytes((major << 5 | argument,))
    if argument < 0x100:
        return bytes((major << 5 | 24, argument))
    if argument < 0x10000:
        return bytes((major << 5 | 25, argument >> 8, argument & 0xFF))
    if argument < 0x100000000:
        return bytes((major << 5 | 26,)) + argument.to_bytes(4, "big")
    if argument < 0x10000000000000000:
        return bytes((major << 5 | 27,)) + argument.to_bytes(8, "big")
    raise CborError("integer")


def dumps(obj: object, max_depth: int = MAX_DEPTH + 8) -> bytes:
    """`obj` in the core deterministic encoding (RFC 8949 section 4.2.1); raises CborError.

    For None, bool, int up to 64 bits, str, bytes-like, list, tuple, dict and Tag. Floats are refused: no
    format of Yima has one, and their shortest form would differ between the interpreters.
    """
    parts: list[bytes] = []
    _write(obj, parts, max_depth)
    return b"".join(parts)


def _write(obj: object, parts: list[bytes], depth: int) -> None:
    """Append the encoding of `obj` to `parts`."""
    if depth < 0:
        raise CborError("too deep")
    if obj is None:
        parts.append(b"\xf6")
    elif obj is True:
        parts.append(b"\xf5")
    elif obj is False:
        parts.append(b"\xf4")
    elif isinstance(obj, int):
        parts.append(head(0, obj) if obj >= 0 else head(1, -1 - obj))
    elif isinstance(obj, str):
        raw = obj.encode()
        parts.append(head(3, len(raw)))
        parts.append(raw)
    elif isinstance(obj, (bytes, bytearray, memoryview)):
        parts.append(head(2, len(obj)))
        parts.append(bytes(obj))
    elif isinstance(obj, (list, tuple)):
        parts.append(head(4, len(obj)))
        for value in obj:
            _write(value, parts, depth - 1)
    elif isinstance(obj, dict):
        parts.append(head(5, len(obj)))
        for key, value in sorted([(dumps(key), value) for key, value in obj.items()], key=_first):
            parts.append(key)
            _write(value, parts, depth - 1)
    elif isinstance(obj, Tag):
        parts.append(head(6, obj.number))
        _write(obj.value, parts, depth - 1)
    else:
        raise CborError("no CBOR form")


def _first(pair: tuple[bytes, object]) -> bytes:
    """The sort key of an encoded map: its key's bytes."""
    return pair[0]
