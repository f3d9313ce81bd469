"""Give the program's names spellings that the interpreter has in its table of strings anyway.

Every other spelling costs the handheld's RAM an entry in that table, which grows by doubling: beyond 600 of
them it takes 7 kB at once, beyond 1,240 another 14 kB. Only spellings change, and only in a whole program
(the bundle), where every use of a name can be seen:

- An *attribute* is renamed where the program itself defines it, everywhere at once and no two to the same
  spelling. Attributes that somebody else's code may know keep theirs: those of `foreign` texts, those that
  are interned, special names.
- A *global* gets a spelling that is nowhere a local name, a builtin or another global's. What was imported
  keeps its name, and so do exceptions, for crash notes show them.

Tracebacks show the new names of functions beside lines of the bundle; `lines.txt` and the sources say what
stands there. The program must not look up names at run time (`getattr`, `globals`) nor have f-strings, whose
parts have no positions; such a program is refused with RenameError.
"""

from __future__ import annotations

import ast
import builtins
import keyword
from collections.abc import Iterable, Iterator
from pathlib import Path

from host_tools.device.edits import Edit, apply

INTERNED = Path(__file__).with_name("interned.txt")
#: What the interpreter itself asks objects of the program for, or gives its exceptions.
_PROTOCOL = frozenset(
    ("args", "close", "errno", "flush", "ioctl", "read", "readinto", "seek", "value", "write")
)
_LOOK_UPS = frozenset(("delattr", "eval", "exec", "getattr", "globals", "hasattr", "locals", "setattr"))
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class RenameError(Exception):
    """A program whose names cannot be followed; the message says where."""


def interned() -> list[str]:
    """The spellings that cost nothing, in the order in which they are given away."""
    return [line for line in INTERNED.read_text("utf-8").splitlines() if not line.startswith("#")]


def spelled(text: str) -> set[str]:
    """Every identifier in a module, in whatever place."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        for field in ("id", "attr", "arg", "name", "module", "asname"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                found.update(value.split("."))
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


class Renamer:
    """Renames one program, `text`; `foreign` are the spellings in everything that is not part of it, `entry`
    the function that is called from outside.
    """

    def __init__(self, text: str, foreign: Iterable[str], entry: str) -> None:
        self._text = text
        self._tree = ast.parse(text)
        self._lines = text.splitlines()
        self._refuse()
        free = interned()
        kept = {*foreign, *free, entry}
        used, own = self._attributes()
        self.attributes = _assigned(
            sorted(name for name in own - kept if not name.startswith("__")),
            [name for name in free if name not in used | set(foreign) | _PROTOCOL],
        )
        spellings = {self.attributes.get(name, name) for name in used}
        unsafe = self._locals() | set(dir(builtins)) | set(keyword.kwlist) | _LOOK_UPS
        names = self._globals()
        unsafe |= names | {entry} | self._imported()
        candidates = dict.fromkeys([*free, *sorted(spellings)])
        self.globals = _assigned(
            sorted(name for name in names - kept if not name.startswith("_const_")),
            [name for name in candidates if name not in unsafe and not name.startswith("__")],
        )

    def renamed(self) -> str:
        """The program's text with the new names, line for line."""
        return apply(self._text, self._edits(self._tree, None))

    def _refuse(self) -> None:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.JoinedStr):
                raise RenameError(f"line {node.lineno}: f-string")
            if isinstance(node, ast.Name) and node.id in _LOOK_UPS and isinstance(node.ctx, ast.Load):
                raise RenameError(f"line {node.lineno}: {node.id}")

    def _attributes(self) -> tuple[set[str], set[str]]:
        """All attributes that the program spells; those that it defines."""
        used, own = set(), set()
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Attribute):
                used.add(node.attr)
                if not isinstance(node.ctx, ast.Load):
                    own.add(node.attr)
            elif isinstance(node, ast.ClassDef):
                own |= _bound_in_class(node)
        return used | own, own

    def _locals(self) -> set[str]:
        """Every name that is bound or taken in anything but the module itself."""
        found: set[str] = set()
        for statement in self._tree.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.arg):
                    found.add(node.arg)
                elif isinstance(node, ast.ExceptHandler) and node.name:
                    found.add(node.name)
                elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                    if not isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
                        found.add(node.id)
                elif isinstance(node, _Definition) and node is not statement:
                    found.add(node.name)
        return found - self._declared()

    def _declared(self) -> set[str]:
        """Names in ``global`` statements."""
        return {n for node in ast.walk(self._tree) if isinstance(node, ast.Global) for n in node.names}

    def _globals(self) -> set[str]:
        """The globals that may be renamed: bound by one plain statement of the module, nowhere a local."""
        exceptions = {"BaseException", "Exception", "OSError", "ValueError"}
        found = self._declared()
        for statement in self._tree.body:
            if isinstance(statement, ast.ClassDef):
                if any(isinstance(base, ast.Name) and base.id in exceptions for base in statement.bases):
                    exceptions.add(statement.name)
                else:
                    found.add(statement.name)
            elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(statement.name)
            elif isinstance(statement, ast.Assign):
                found.update(target.id for target in statement.targets if isinstance(target, ast.Name))
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                found.add(statement.target.id)
        in_classes = {
            name
            for node in ast.walk(self._tree)
            if isinstance(node, ast.ClassDef)
            for name in _bound_in_class(node)
        }
        return found - exceptions - self._locals() - in_classes - self._imported()

    def _imported(self) -> set[str]:
        return {
            alias.asname or alias.name
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }

    def _edits(self, node: ast.AST, inside: set[str] | None) -> Iterator[Edit]:
        """The edits of a node and all below it; `inside` are the names of the class whose body it is in."""
        new: str | None
        if isinstance(node, _Definition):
            top = node in self._tree.body
            new = self.attributes.get(node.name) if inside is not None else None
            new = self.globals.get(node.name) if top else new
            if new:
                start = (
                    self._lines[node.lineno - 1].encode().index(b" " + node.name.encode(), node.col_offset)
                )
                yield node.lineno, start + 1, start + 1 + len(node.name.encode()), new
            within = _bound_in_class(node) if isinstance(node, ast.ClassDef) else None
            for field, value in ast.iter_fields(node):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        yield from self._edits(child, within if field == "body" else inside)
            return
        if isinstance(node, ast.Attribute):
            new = self.attributes.get(node.attr)
            if new:
                end = node.end_col_offset or 0
                yield node.end_lineno or 0, end - len(node.attr.encode()), end, new
        elif isinstance(node, ast.Name):
            new = (self.attributes if inside and node.id in inside else self.globals).get(node.id)
            if new:
                yield node.lineno, node.col_offset, node.end_col_offset or 0, new
        elif isinstance(node, ast.Global):
            names = ", ".join(self.globals.get(name, name) for name in node.names)
            yield node.lineno, node.col_offset, node.end_col_offset or 0, f"global {names}"
        if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            inside = None
        for child in ast.iter_child_nodes(node):
            yield from self._edits(child, inside)


def _bound_in_class(node: ast.ClassDef) -> set[str]:
    """The names that the statements of a class body bind."""
    found: set[str] = set()
    for statement in node.body:
        if isinstance(statement, _Definition):
            found.add(statement.name)
        else:
            found.update(
                n.id
                for n in ast.walk(statement)
                if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)
            )
    return found


def _assigned(names: list[str], spellings: list[str]) -> dict[str, str]:
    """A spelling for each name, as long as there are any."""
    return dict(zip(names, spellings, strict=False))
