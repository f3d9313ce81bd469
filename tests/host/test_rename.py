"""Names made cheaper: the same program under fewer, known spellings, and what cannot be followed refused."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from host_tools.device import rename
from host_tools.device.rename import RenameError, Renamer

PROGRAM = '''
"""A program."""
import struct as _binary

LIMIT = 3
GREETING = "hallo " + "welt"
PAIR = (LIMIT, b"x")
LATE = 5
_state = []


class ProgramError(Exception):
    """Caught by its name."""


class WidthError(ProgramError):
    """Only raised."""


class DepthError(WidthError):
    """Only raised, and of no class of its own either."""


class Strict(ProgramError):
    """Has something of its own."""

    def __init__(self, width_mm):
        super().__init__("strict")
        self.width_mm = width_mm


class Outer_Box:
    """A class
    with a long docstring.
    """

    colour_code = 7
    doubled = colour_code * 2

    def __init__(self, width_mm):
        self.width_mm = width_mm
        self.append = 1

    @property
    def area_mm2(self):
        """Its area."""
        return self.width_mm * self.width_mm

    @area_mm2.setter
    def area_mm2(self, value):
        self.width_mm = value

    def readblocks(self):
        return [colour for colour in (self.colour_code, self.doubled)]


def narrow(width_mm, deeper=False):
    """Raises ProgramError."""
    if deeper:
        raise DepthError("deep")
    if width_mm < LIMIT:
        raise WidthError(GREETING)
    return Outer_Box(width_mm=width_mm)


def count_up():
    global counted_so_far
    counted_so_far += LATER
    return counted_so_far


counted_so_far = 0
LATER = 5


def main():
    out = []
    for width, deeper in ((1, False), (9, False), (9, True)):
        try:
            box = narrow(width, deeper)
            out.append((box.area_mm2, box.readblocks(), box.append, getattr(box, "area_mm2"), PAIR))
            box.area_mm2 = 4
            out.append((box.width_mm, getattr(box, "missing_thing", None)))
        except ProgramError as e:
            out.append(str(e))
    try:
        raise Strict(3)
    except Strict as e:
        out.append(e.width_mm)
    _state.append(_binary.pack("<H", count_up()))
    return out, _state
'''


def run(text: str) -> Any:
    names: dict[str, Any] = {"const": lambda value: value, "__name__": "program"}
    exec(compile(text, "program", "exec"), names)
    return names["main"]()


def renamer(text: str = PROGRAM, *foreign: str) -> Renamer:
    return Renamer(text, foreign, "main")


def test_the_program_does_the_same() -> None:
    text = renamer().renamed()
    assert run(text) == run(PROGRAM)
    assert len(text.splitlines()) == len(PROGRAM.splitlines())
    for name in ("width_mm = ", "area_mm2", "colour_code", "Outer_Box", "counted_so_far", "narrow"):
        assert name not in text


def test_names_that_others_know_stay() -> None:
    made = renamer(PROGRAM, "colour_code", "narrow")
    assert "append" not in made.attributes and "readblocks" not in made.attributes  # MicroPython's own
    assert "colour_code" not in made.attributes and "narrow" not in made.globals
    assert "main" not in made.globals and "_binary" not in made.globals
    assert "ProgramError" not in made.globals and "Strict" not in made.globals
    # A parameter is not the attribute of the same name: calls may use it as a keyword.
    assert "def __init__(self, width_mm)" in made.renamed()


def test_no_two_names_become_one() -> None:
    made = renamer()
    for table in (made.attributes, {k: v for k, v in made.globals.items() if k not in made.merged}):
        assert len(set(table.values())) == len(table)
    assert "missing_thing" not in made.attributes.values()
    assert not set(made.globals.values()) & {"self", "out", "box", "e", "print", "const"}


def test_constants_that_can_be_written_in() -> None:
    made = renamer()
    assert made.constants == {
        "LIMIT": 3,
        "GREETING": "hallo welt",
        "PAIR": (3, b"x"),
        "LATE": 5,
    }  # LATER is used by a function above it, counted_so_far changes
    assert "_const_of_PAIR = const((3, b'x'))" in made.renamed()


def test_exceptions_that_nobody_tells_apart() -> None:
    made = renamer()
    assert made.merged == {"WidthError": "ProgramError", "DepthError": "ProgramError"}
    for use in ("except WidthError: pass", "isinstance(1, WidthError)", "x = WidthError"):
        text = PROGRAM + f"\ndef use():\n    try:\n        pass\n    finally:\n        pass\n    {use}\n"
        if use.startswith("except"):
            text = PROGRAM + f"\ndef use():\n    try:\n        pass\n    {use}\n"
        assert renamer(text).merged == {"DepthError": "WidthError"}, use


def test_classes_forget_what_nobody_asks_for() -> None:
    names: dict[str, Any] = {"const": lambda value: value, "__name__": "program"}
    made = renamer()
    exec(compile(made.renamed(), "program", "exec"), names)
    assert "del __module__, __qualname__" in made.renamed()
    assert names[made.globals["Outer_Box"]].__doc__ is None


@pytest.mark.parametrize(
    "line", ["getattr(1, x)", "globals()", "print(f'{x}')", "setattr(x, 'y', 1)", "hasattr(x, 'a' + 'b')"]
)
def test_a_program_that_cannot_be_followed_is_refused(line: str) -> None:
    with pytest.raises(RenameError):
        renamer(f"def main(x):\n    {line}\n")


def test_when_the_spellings_run_out_names_stay() -> None:
    many = "class A:\n    '''x'''\n" + "".join(f"    field_{i} = {i}\n" for i in range(2000))
    made = renamer(many + "\ndef main():\n    return A.field_1999\n")
    assert 100 < len(made.attributes) < 2000
    assert run(made.renamed()) == 1999


def test_the_list_holds_names_and_nothing_twice() -> None:
    names = rename.interned()
    assert len(set(names)) == len(names) > 500
    for name in names:
        assert name.isidentifier() and isinstance(ast.parse(name, mode="eval").body, ast.Name)


TALKING = '''
class TalkError(Exception):
    """Said aloud."""

    def __init__(self, code, text):
        super().__init__(text)


def main():
    out = []
    for n in range(4):
        try:
            print("this is printed", n)
            if n == 0:
                raise TalkError(1, "out of range, by %d" % n)
            if n == 1:
                raise TalkError(1, "out of range")
            if n == 2:
                raise TalkError(1, ("not ASCII: \u00e4 and more of it"))
            raise TalkError(2, "in two "
                "lines: {0}".format(n))
        except TalkError as e:
            out.append(str(e))
    return out, "a text that is no message"
'''


def test_texts_are_cut_out_of_one_text(capsys: pytest.CaptureFixture[str]) -> None:
    program = '"""A program."""\n' + TALKING
    text = renamer(program).renamed()
    assert run(text) == run(program)
    half = len(printed := capsys.readouterr().out) // 2
    assert half > 60 and printed[:half] == printed[half:]
    assert len(text.splitlines()) == len(program.splitlines())
    assert text.count("out of range") == 1  # the shorter one is part of the longer
    assert text.count("_const_texts[") == 5
    assert '"not ASCII: \u00e4 and more of it"' in text  # its characters are not its bytes
    assert "_const_texts" not in renamer(TALKING).renamed()  # nowhere to put the text


def test_texts_that_have_to_stay() -> None:
    program = '''"""A program."""
OUTSIDE = ["outside a function"]


def main(number: "an annotation of text" = "a default value") -> "another annotation":
    """A long docstring."""
    local: "an annotation inside" = "short"
    return number, local, getattr([], "a_rather_long_name", None), OUTSIDE
'''
    text = renamer(program).renamed()
    assert run(text) == run(program)
    assert "_const_texts" not in text
