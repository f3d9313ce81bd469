"""The build's bundler and its sieve: one module that does what the many did, without what nobody uses."""

from __future__ import annotations

import ast
import builtins
import symtable

import pytest
from program import names, result

from host_tools.device import build, prune
from host_tools.device.bundle import Bundle, BundleError
from host_tools.device.shrink import Shrinker

TOWN = {
    "town.base": '''"""Base."""

import struct
import time

_secret = [1]
line = "base line"
WORDS = ("a", "b")


class Reader:
    """Reads."""

    line = "class line"

    def read(self, line: int = 1) -> object:
        return line, _secret[0], self.line


def open(path: str) -> str:
    """Named like a builtin."""
    return "opened " + path


def pack(value: int) -> bytes:
    return struct.pack(">H", value)
''',
    "town.middle": '''"""Middle."""

import struct as packing
import time

from town import base
from town.base import Reader as Base
from town.base import pack

if False:
    from nowhere import Nothing

__all__ = ["Reader", "pack"]

_secret = [2]
_LIMIT = 7


class Reader(Base):
    def read(self, line: "Nothing | int" = 3) -> object:
        return super().read(line), _secret[0], base.line, _LIMIT


def line(base: str, pack: int = 4) -> object:
    return base, pack, [pack for pack in range(2)]


try:
    import no_such_module
except ImportError:
    HAS = False
else:
    HAS = True
''',
    "town.top": '''"""Top."""

from town import middle
from town.base import WORDS, Reader, open
from town.middle import HAS, pack

_secret = [3]
_LIMIT = 9
count = 0


def _shadow(middle: "list[int]") -> object:
    def inner() -> object:
        return middle[0], (lambda middle: middle)(5)

    return inner()


def run(n: int) -> object:
    global count
    count += n
    pair = [middle.Reader().read(), Reader().read(), middle.line("x")]
    return (
        pair, _secret, _LIMIT, open("a"), middle.packing.calcsize(">H") if False else pack(n), WORDS, HAS,
        _shadow([n]), count, middle._secret, middle
        .line("y"),
    )
''',
}


def bundled(sources: dict[str, str], entry: str) -> dict[str, str]:
    return {"one": Bundle(sources, entry).text}


@pytest.mark.parametrize("n", [1, 500])
def test_one_module_does_what_the_many_did(n: int) -> None:
    assert result(bundled(TOWN, "town.top.run"), "one.run", n) == result(TOWN, "town.top.run", n)


def test_every_line_is_found_again() -> None:
    bundle = Bundle(TOWN, "town.top.run")
    lines = bundle.text.splitlines()
    assert len(lines) == sum(len(text.splitlines()) for text in TOWN.values())
    for number, line in enumerate(lines, 1):
        module, there = bundle.origin(number)
        original = TOWN[module].splitlines()[there - 1]
        # What was not taken out is where it was: strings show it best.
        if '"""' in original:
            assert line == original
    starts = [lines.index(f'"""{word}."""') + 1 for word in ("Base", "Middle", "Top")]
    modules = ("town.base", "town.middle", "town.top")
    assert bundle.table() == "".join(f"{s} {m}\n" for s, m in zip(starts, modules, strict=True))


def test_an_import_of_somebody_elses_module_stands_once() -> None:
    tree = ast.parse(Bundle(TOWN, "town.top.run").text)
    imports = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert sorted(imports) == ["import struct", "import time"]


def test_constants_get_names_that_meet_nothing() -> None:
    sources = {
        "a": "_x = const(5)\n\n\ndef get():\n    return _x\n",
        "b": "import a\nfrom a import get\n\n_x = const(6)\n\n\ndef run(_y=1):\n    return get(), _x\n",
    }
    text = Bundle(sources, "b.run").text
    consts = [node.targets[0].id for node in ast.parse(text).body if isinstance(node, ast.Assign)]  # type: ignore[attr-defined]
    assert len(set(consts)) == 2 and all(name.startswith("_const_") for name in consts)
    assert result({"one": text}, "one.run") == (5, 6)


@pytest.mark.parametrize(
    ("what", "sources"),
    [
        ("circular import", {"p.a": "from p import b\n", "p.b": "from p import a\n\n\ndef run(): pass\n"}),
        ("import inside", {"p.b": "def run():\n    import time\n"}),
        ("used as a value", {"p.a": "X = 1\n", "p.b": "from p import a\n\n\ndef run(): return a\n"}),
        ("assignment to", {"p.a": "X = 1\n", "p.b": "from p import a\n\n\ndef run(): a.X = 2\n"}),
        ("has no", {"p.a": "X = 1\n", "p.b": "from p.a import Y\n\n\ndef run(): return Y\n"}),
        ("import of", {"p.b": "import os.path\n\n\ndef run(): return os\n"}),
        ("not absolute", {"p.b": "from . import a\n\n\ndef run(): pass\n"}),
        (
            "only one of that name",
            {"p.a": "run = 1\n", "p.b": "from p import a\n\n\ndef run(): return a.run\n"},
        ),
    ],
)
def test_what_is_not_understood_is_refused(what: str, sources: dict[str, str]) -> None:
    with pytest.raises(BundleError, match=what):
        Bundle(sources, "p.b.run")


SHED = {
    "shed.tools": '''"""Tools."""

from shed.stock import nails, screws

TABLE = {1: 2}
SPARE = {3: 4}
MADE = nails()


class Saw(list):
    def called_by_somebody(self) -> int:
        return 1


class Hammer:
    def __len__(self) -> int:
        return 4

    def hit(self) -> int:
        return self._swing()

    def _swing(self) -> int:
        return TABLE[1]

    @property
    def weight(self) -> int:
        return 5

    @property
    def never_asked(self) -> int:
        return screws()


def recursive(n: int) -> int:
    return recursive(n - 1)


def by_text() -> int:
    return 7


class Only:
    def unused(self) -> int:
        return 1
''',
    "shed.stock": '''"""Stock."""


def nails() -> int:
    return 8


def screws() -> int:
    return helper()


def helper() -> int:
    return 9
''',
    "shed.main": '''"""Main."""

from shed import tools
from shed.tools import Hammer


def run() -> object:
    hammer = Hammer()
    only = tools.Only()
    return hammer.hit(), len(hammer), hammer.weight, tools.Saw(), tools.MADE, only is None, "by_text"
''',
}


def test_what_is_used_does_what_it_did_and_the_rest_is_gone() -> None:
    sieved = prune.prune(SHED, "shed.main.run")
    assert result(sieved, "shed.main.run") == result(SHED, "shed.main.run")
    left = set().union(*(names(text) for text in sieved.values()))
    assert not left & {"SPARE", "recursive", "never_asked", "screws", "helper", "unused"}
    # Called by Python or by somebody else's class, or named by a text.
    assert {"__len__", "called_by_somebody", "by_text", "MADE"} <= left
    assert [text.count("\n") for text in sieved.values()] == [text.count("\n") for text in SHED.values()]


def test_the_firmware_bundles_into_valid_names() -> None:
    """Every global that the bundle reads is there: a name that the bundler missed would show here."""
    modules, _ = build._modules("xtensawin")
    used = prune.prune({target.replace("/", "."): text for target, text in modules.items()}, build.ENTRY)
    shrinker = Shrinker(used)
    small = {module: shrinker.shrink(module) for module in used if not module.startswith("lib.")}
    bundle = Bundle(small, build.ENTRY)
    top = symtable.symtable(bundle.text, "one", "exec")
    known = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    known |= {*dir(builtins), "const"}

    def missing(table: symtable.SymbolTable) -> set[str]:
        found = {s.get_name() for s in table.get_symbols() if s.is_global() and s.get_name() not in known}
        return found.union(*(missing(child) for child in table.get_children()))

    assert not missing(top)
    assert bundle.text.count("\n") == sum(text.count("\n") for text in small.values())
