"""The machine code inside a .mpy file (MicroPython's tools/mpy-tool.py is the format's description)."""

from __future__ import annotations

_NATIVE_PY, _NATIVE_VIPER = 3, 4
_STRINGS = (5, 6)  # kinds of constants: str and bytes end with a NUL
_DATA = (7, 8, 9)  # int, float, complex as text
_FEATURE_FLAGS = 0x40


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        found = self.data[self.at : self.at + count]
        if len(found) != count:
            raise ValueError("truncated .mpy file")
        self.at += count
        return found

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """Seven bits a byte, highest first."""
        value = 0
        while True:
            byte = self.byte()
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value

    def name(self) -> None:
        """An interned string: a number in the interpreter's own list, or text."""
        length = self.number()
        if not length & 1:
            self.take((length >> 1) + 1)

    def constant(self) -> None:
        kind = self.byte()
        if kind in _STRINGS:
            self.take(self.number() + 1)
        elif kind in _DATA:
            self.take(self.number())
        elif kind > 4:
            raise ValueError("a constant that no kernel has")

    def code(self, found: list[bytes]) -> None:
        """A function and those inside it; machine code is appended."""
        head = self.number()
        kind = (head & 3) + 2
        data = self.take(head >> 3)
        if kind in (_NATIVE_PY, _NATIVE_VIPER):
            self.number()
            found.append(data)
        elif kind != 2:
            raise ValueError("inline assembler")
        if head & 4:
            for _ in range(self.number()):
                self.code(found)


def native_functions(data: bytes) -> list[bytes]:
    """The machine code of a module's viper functions, in the order of their definition."""
    reader = _Reader(data)
    if reader.take(2) != b"M\x06":
        raise ValueError("not a .mpy file of version 6")
    if reader.byte() & _FEATURE_FLAGS:
        reader.number()
    reader.byte()
    names, constants = reader.number(), reader.number()
    for _ in range(names):
        reader.name()
    for _ in range(constants):
        reader.constant()
    found: list[bytes] = []
    reader.code(found)
    return found
