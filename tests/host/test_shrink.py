"""The build's shrinker: smaller sources that do the same, line for line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from program import names, result

from host_tools.device import build
from host_tools.device.shrink import Shrinker

SHOP = {
    "shop.goods": '''"""Goods."""

LIMIT = 4096
STEP = LIMIT // 2
DOUBLE = LIMIT * 2 + 1
NEGATIVE = -3
_FACTOR = 10
NAME = "goods"


class Box:
    """A box."""

    __slots__ = (
        "_hidden",
        "open",
    )

    def __init__(self, content: int) -> None:
        self._hidden = content
        self.open = False

    def _secret_price(self, factor: int) -> int:
        return self._hidden * factor

    def price(self, factor: int = 1, *, discount: int = 0) -> int:
        return self._secret_price(factor) * _FACTOR - discount


def capped(amount: int) -> int:
    """At most LIMIT."""
    return min(amount, LIMIT)
''',
    "shop.till": '''"""The till."""

from shop import goods
from shop.goods import (
    DOUBLE,
    NEGATIVE,
    Box,
)
from shop.goods import LIMIT as MOST

_FACTOR = 2
_taken_money = []


class CrateOfMany(Box):
    """Extends a class of another file."""

    def _secret_price(self, factor: int) -> int:
        return 1000 + self._hidden * factor


def _sum_up(amount: int, tax: int) -> int:
    def with_tax(amount: int) -> int:
        return amount + tax

    return with_tax(amount) * _FACTOR


def run(amount: int) -> list[object]:
    global _taken_money
    _taken_money = [amount]
    crate = CrateOfMany(content=amount)
    text = f"{amount} of {MOST}"
    doubled = [amount for amount in (DOUBLE, NEGATIVE)]
    later = lambda amount: amount + goods.LIMIT
    return [
        crate.price(2, discount=3), Box(amount).price(), text, doubled, later(amount), goods.capped(10**6),
        _sum_up(amount, 5), _taken_money, goods.NAME, 2 - NEGATIVE, NEGATIVE ** 2,
    ]
''',
}


def shrunk(sources: dict[str, str], *, closed: bool = True) -> dict[str, str]:
    shrinker = Shrinker(sources, closed)
    return {module: shrinker.shrink(module) for module in sources}


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("amount", [0, 7, -20])
def test_a_program_does_the_same(amount: int, closed: bool) -> None:
    assert result(shrunk(SHOP, closed=closed), "shop.till.run", amount) == result(
        SHOP, "shop.till.run", amount
    )


def test_the_number_of_lines_stays() -> None:
    for module, text in shrunk(SHOP).items():
        assert text.count("\n") == SHOP[module].count("\n")


def test_whole_numbers_are_written_in_and_not_imported() -> None:
    small = shrunk(SHOP)
    assert "8193" in small["shop.till"] and "4096" in small["shop.till"]
    assert not {"LIMIT", "DOUBLE", "NEGATIVE", "MOST"} & names(small["shop.till"])
    assert "from shop.goods import Box" in small["shop.till"]
    # Defined by a private name, the compiler leaves nothing of it behind.
    assert "LIMIT" not in names(small["shop.goods"]) and "const(4096)" in small["shop.goods"]
    assert "goods.NAME" in small["shop.till"]


def test_what_is_not_a_whole_number_is_left_alone() -> None:
    text = "ON = True\nHALF = 0.5\nWORD = 'x'\nTWICE = 1\nTWICE = 2\n"
    text += "\n\ndef run():\n    return ON, HALF, WORD, TWICE\n"
    small = shrunk({"one": text})
    assert {"ON", "HALF", "WORD", "TWICE"} <= names(small["one"]) and "const" not in small["one"]
    assert result(small, "one.run") == (True, 0.5, "x", 2)


def test_an_import_that_becomes_empty_still_runs_the_module() -> None:
    sources = {
        "log": "SEEN = []\n",
        "a": "import log\n\nONE = 1\nlog.SEEN.append('a')\n",
        "b": "import log\nfrom a import ONE\n\n\ndef run():\n    return ONE, log.SEEN\n",
    }
    assert result(shrunk(sources), "b.run") == (1, ["a"])


def test_private_names_of_one_file_are_shared_with_other_files() -> None:
    sources = {
        f"m{i}": f"class C:\n    def _private_{i}_thing(self):\n        return self._private_{i}_value\n"
        f"    def __init__(self):\n        self._private_{i}_value = {i}\n"
        f"    def get(self):\n        return self._private_{i}_thing()\n"
        "def run():\n    return C().get()\n"
        for i in (1, 2)
    }
    small = shrunk(sources)
    assert names(small["m1"]) == names(small["m2"])
    assert [result(small, f"m{i}.run") for i in (1, 2)] == [1, 2]


def test_files_that_extend_each_others_classes_keep_private_names() -> None:
    small = shrunk(SHOP)
    assert {"_hidden", "_secret_price"} <= names(small["shop.goods"]) & names(small["shop.till"])


def test_private_attributes_of_foreign_objects_keep_their_names() -> None:
    text = "def run(thing):\n    return thing._private_of_theirs + thing._own_by_name()\n"

    class Thing:
        _private_of_theirs = 1

        def _own_by_name(self) -> int:
            return 2

    assert result(shrunk({"one": text}), "one.run", Thing()) == 3


def test_parameters_that_calls_name_keep_their_names() -> None:
    small = shrunk(SHOP)
    # content= and discount= are written in calls; factor is not.
    assert {"content", "discount"} <= names(small["shop.goods"]) and "factor" not in names(
        small["shop.goods"]
    )
    assert "factor" in names(shrunk(SHOP, closed=False)["shop.goods"])


def test_a_parameter_that_an_inner_scope_uses_keeps_its_meaning() -> None:
    text = """def outer(amount, number):
    def inner(number):
        return number * 2 + amount

    class Local:
        amount = 5
        def get(self, amount):
            return amount, number
    return inner(amount), [number for number in range(number)], (lambda amount: amount + number)(1), \\
        Local().get(9)


def run():
    return outer(3, 4)
"""
    assert result(shrunk({"one": text}), "one.run") == result({"one": text}, "one.run")


def test_slots_go_away_and_a_class_may_be_left_empty() -> None:
    text = "class Empty:\n    __slots__ = ('a',\n        'b')\n\n\n"
    text += "def run():\n    e = Empty()\n    e.c = 1\n    return e.c\n"
    small = shrunk({"one": text})
    assert "__slots__" not in small["one"] and result(small, "one.run") == 1


def test_names_beside_letters_of_many_bytes_are_found() -> None:
    text = "_private_text = '通行'\n\n\ndef run():\n    return '·温度' + _private_text + '℃', _private_text\n"
    assert result(shrunk({"one": text}), "one.run") == ("·温度通行℃", "通行")


def test_the_firmware_compiles_and_keeps_its_lines() -> None:
    sources = {target.replace("/", "."): Path(path).read_text("utf-8") for target, path in build.sources()}
    for module, text in shrunk(sources).items():
        compile(text, module, "exec")
        assert text.count("\n") == sources[module].count("\n"), module


def test_big_numbers_stay_where_they_are() -> None:
    """Written in, a number beyond the board's small integers would be an object at every place."""
    text = (
        f"SMALL = {(1 << 30) - 1}\nBIG = {1 << 30}\nLOW = -{1 << 30}\nLOWER = -{(1 << 30) + 1}\n"
        f"PRIME = {(1 << 256) - 189}\nTWICE = PRIME * 2\n\n\n"
        "def answer() -> list[int]:\n    return [SMALL, BIG, LOW, LOWER, PRIME, TWICE, PRIME]\n"
    )
    shrunk = Shrinker({"one": text}).shrink("one")
    for kept in (f"BIG = {1 << 30}\n", f"LOWER = -{(1 << 30) + 1}\n", "PRIME = ", "TWICE = PRIME * 2\n"):
        assert "\n" + kept in shrunk
    assert "SMALL" not in shrunk and "LOW " not in shrunk and shrunk.count("= const(") == 2
    values = [namespace(code)["answer"]() for code in (text, shrunk)]
    assert values[0] == values[1]


def namespace(code: str) -> dict[str, Any]:
    found: dict[str, Any] = {"const": lambda value: value}
    exec(compile(code, "one", "exec"), found)
    return found
