"""Runs small programs, given as {dotted module: text}, for the tests of the build's source tools."""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports modules from texts; `const` is known in them, as MicroPython's compiler knows it."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = sources
        self.packages = {name.rpartition(".")[0] for name in sources} - {""}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self.sources and fullname not in self.packages:
            return None
        package = fullname in self.packages
        return importlib.util.spec_from_loader(fullname, self, is_package=package)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__dict__["const"] = lambda value: value
        code = compile(
            self.sources.get(module.__name__, ""), module.__name__ + ".py", "exec", dont_inherit=True
        )
        exec(code, module.__dict__)


def result(sources: dict[str, str], entry: str, *arguments: object) -> object:
    """What the function `entry` (``package.module.function``, or ``function`` of the only module) returns."""
    finder = Finder(sources)
    before = set(sys.modules)
    sys.meta_path.insert(0, finder)
    try:
        module, _, function = entry.rpartition(".")
        return getattr(importlib.import_module(module), function)(*arguments)
    finally:
        sys.meta_path.remove(finder)
        for name in set(sys.modules) - before:
            if name in sources or name in finder.packages:
                del sys.modules[name]


def names(text: str) -> set[str]:
    """Every name that a text spells in code."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        for field in ("id", "attr", "name", "arg"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                found.add(value)
    return found
