"""Make a program's sources cheaper for the handheld's RAM without changing what they do.

Every name that MicroPython keeps costs an entry in its table of interned strings, which grows by doubling,
and every module-level constant one in a dictionary. At build time, with line numbers left as they are:

- ``__slots__``, which CPython uses and MicroPython merely stores, goes away;
- whole-number constants are written in where they are used, in other modules too; their definition becomes a
  ``const()`` that leaves nothing behind;
- private names used in one file alone share a small set of short names with the other files' private names,
and
  so do parameters that no call names.

Private names that appear in more than one file keep their spelling, and so do those of files that extend a
class of another file, for there an attribute of the one must not meet an attribute of the other.
"""

from __future__ import annotations

import ast
import string
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product

from host_tools.device.edits import Edit, apply, replace

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Shrinker:
    """Knows all sources of one program: `sources` maps a dotted module name to its text.

    A `closed` program is used by nobody else. In one that is not, public constants and parameters keep their
    names.
    """

    def __init__(self, sources: dict[str, str], closed: bool = True) -> None:
        self._sources = sources
        self._closed = closed
        self._trees = {module: ast.parse(text) for module, text in sources.items()}
        users: Counter[str] = Counter()
        for tree in self._trees.values():
            users.update(_spelled(tree))
        self._known = set(users)
        self._keywords = {
            node.arg for t in self._trees.values() for node in ast.walk(t) if isinstance(node, ast.keyword)
        }
        self._kept = {name for name, count in users.items() if count > 1}
        self._kept.update(part for module in sources for part in module.split("."))
        bases = {module: set(self._bases(module)) for module in sources}
        self._whole = {
            module for module in sources if bases[module] or module in set().union(*bases.values())
        }
        self._numbers = {
            module: {n: v for n, v in _numbers(tree).items() if closed or n.startswith("_")}
            for module, tree in self._trees.items()
        }

    def shrink(self, module: str) -> str:
        """The cheaper source of one module, line for line."""
        tree = self._trees[module]
        edits: dict[tuple[int, int], Edit] = {}
        foreign = self._foreign_numbers(module)
        # A bare 7.to_bytes is no expression.
        bases = {node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                self._edit_import(node, foreign, edits)
            number = foreign.get(ast.unparse(node)) if isinstance(node, ast.Name | ast.Attribute) else None
            if number is not None and isinstance(node, ast.expr):
                _put(edits, node, f"({number})" if number < 0 or node in bases else str(number))
        inner = {
            node
            for outer in ast.walk(tree)
            if isinstance(outer, Scope)
            for node in ast.walk(outer)
            if node is not outer and isinstance(node, Function)
        }
        own = self._numbers[module]
        names = {} if module in self._whole else self._short_names(tree, own)
        for node in tree.body:
            if isinstance(node, ast.Assign) and _target(node) in own and node.lineno == node.end_lineno:
                name = _target(node)
                short = names.get(name, name if name.startswith("_") else "_" + name)
                _put(edits, node, f"{short} = const({own[name]})")
                names[name] = short
        for node in ast.walk(tree):
            for edit in _renames(node, names, self._sources[module]):
                edits.setdefault(edit[:2], edit)
        for function in ast.walk(tree):
            # One inside another keeps its names: a short one could hide the short one of the outer.
            if self._closed and isinstance(function, Function) and function not in inner:
                for edit in self._parameters(function):
                    edits.setdefault(edit[:2], edit)
        for edit in _slots(tree):
            edits[edit[:2]] = edit
        # An edit inside a longer one is dropped: what it would have changed is not there any more.
        outer = [e for e in edits.values() if not any(_covers(other, e) for other in edits.values())]
        return apply(self._sources[module], outer)

    def _foreign_numbers(self, module: str) -> dict[str, int]:
        """What this module writes (``NAME`` or ``module.NAME``) for a whole number of another module →
        number.
        """
        found = {}
        for node in ast.walk(self._trees[module]):
            if not isinstance(node, ast.ImportFrom):
                continue
            for alias in node.names:
                local = alias.asname or alias.name
                for name, number in self._numbers.get(f"{node.module}.{alias.name}", {}).items():
                    found[f"{local}.{name}"] = number
                if alias.name in self._numbers.get(node.module or "", {}):
                    found[local] = self._numbers[node.module or ""][alias.name]
        return found

    def _edit_import(
        self, node: ast.ImportFrom, foreign: dict[str, int], edits: dict[tuple[int, int], Edit]
    ) -> None:
        """Take the written-in numbers out of an import; the statement keeps its number of lines."""
        left = [a for a in node.names if (a.asname or a.name) not in foreign]
        if len(left) == len(node.names):
            return
        if left:
            text = f"from {node.module} import " + ", ".join(ast.unparse(alias) for alias in left)
        else:
            # The module is still run, for what else importing it does.
            text = f"import {node.module}"
        _put(edits, node, text)

    def _short_names(self, tree: ast.Module, own: dict[str, int]) -> dict[str, str]:
        """Own name → short private name, the most used first; injective within the module."""
        used = Counter(_mentions(tree))
        defined = _defined(tree)
        private = [
            name
            for name, _ in sorted(used.items(), key=lambda item: (-item[1], item[0]))
            if name in defined
            and name not in self._kept
            and ((name.startswith("_") and not name.startswith("__") and len(name) > 2) or name in own)
        ]
        return dict(zip(private, self._pool(string.ascii_lowercase), strict=False))

    def _parameters(self, function: Function) -> Iterator[Edit]:
        """Renames of parameters that no call anywhere names."""
        arguments = function.args
        plain = [*arguments.posonlyargs, *arguments.args][_is_method(function) :]
        taken = _bound_elsewise(function)
        pool = self._pool(string.ascii_uppercase)
        for argument in plain:
            if argument.arg in self._keywords or argument.arg in taken or len(argument.arg) < 3:
                continue
            short = next(pool)
            yield (
                argument.lineno,
                argument.col_offset,
                argument.col_offset + len(argument.arg.encode()),
                short,
            )
            for statement in function.body:
                for name in _uses(statement, argument.arg):
                    yield name.lineno, name.col_offset, name.end_col_offset or 0, short

    def _pool(self, letters: str) -> Iterator[str]:
        """Short private names that no source uses: _a, _b, … _aa, …"""
        for size in (1, 2):
            for parts in product(letters, repeat=size):
                name = "_" + "".join(parts)
                if name not in self._known:
                    yield name

    def _bases(self, module: str) -> Iterator[str]:
        """Modules whose classes this one extends, errors aside: these hold no private attributes."""
        imported = {}
        for node in ast.walk(self._trees[module]):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    imported[alias.asname or alias.name] = (
                        whole if whole in self._sources else node.module or ""
                    )
        for node in ast.walk(self._trees[module]):
            if isinstance(node, ast.ClassDef):
                for base in node.bases:
                    first, _, rest = ast.unparse(base).partition(".")
                    if imported.get(first) in self._sources and not (rest or first).endswith("Error"):
                        yield imported[first]


def _numbers(tree: ast.Module) -> dict[str, int]:
    """Module-level names that are bound once, to a whole number written out or made of such names."""
    stores = Counter(
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    )
    found: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and _target(node).isupper() and stores[_target(node)] == 1:
            number = _whole_number(node.value, found)
            # Written in, a number that is no small integer on the board would be an object at each place.
            if number is not None and -(1 << 30) <= number < 1 << 30:
                found[_target(node)] = number
    return found


_OPERATIONS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: int.__add__,
    ast.Sub: int.__sub__,
    ast.Mult: int.__mul__,
    ast.LShift: int.__lshift__,
    ast.BitOr: int.__or__,
}


def _whole_number(node: ast.expr, known: dict[str, int]) -> int | None:
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _whole_number(node.operand, known)
        return None if inner is None else -inner
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        left, right = _whole_number(node.left, known), _whole_number(node.right, known)
        return None if left is None or right is None else _OPERATIONS[type(node.op)](left, right)
    return None


def _mentions(tree: ast.AST) -> Iterator[str]:
    """Every name as often as it is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.alias):
            yield node.asname or node.name
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name


def _spelled(tree: ast.Module) -> set[str]:
    """Every name and every part of a dotted one."""
    return {part for name in _mentions(tree) for part in name.split(".")}


def _defined(tree: ast.Module) -> set[str]:
    """Names that this module itself brings up; any other private name belongs to somebody else's object."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return found - {a.asname or a.name for a in ast.walk(tree) if isinstance(a, ast.alias)}


def _renames(node: ast.AST, names: dict[str, str], text: str) -> Iterator[Edit]:
    """The edits that rename what one node itself spells."""
    if isinstance(node, ast.Name) and node.id in names:
        yield node.lineno, node.col_offset, node.end_col_offset or 0, names[node.id]
    elif isinstance(node, ast.Attribute) and node.attr in names:
        end = node.end_col_offset or 0
        yield node.end_lineno or 0, end - len(node.attr.encode()), end, names[node.attr]
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name in names:
        line = text.splitlines()[node.lineno - 1].encode()
        start = line.index(b" " + node.name.encode(), node.col_offset) + 1
        yield node.lineno, start, start + len(node.name.encode()), names[node.name]
    elif isinstance(node, ast.Global | ast.Nonlocal) and any(name in names for name in node.names):
        word = "global" if isinstance(node, ast.Global) else "nonlocal"
        renamed = ", ".join(names.get(name, name) for name in node.names)
        yield node.lineno, node.col_offset, node.end_col_offset or 0, f"{word} {renamed}"


def _is_method(function: Function) -> int:
    """1 where the first parameter is `self` or `cls`, which every class shares anyway."""
    first = [*function.args.posonlyargs, *function.args.args][:1]
    return int(bool(first) and first[0].arg in ("self", "cls"))


def _bound_elsewise(function: Function) -> set[str]:
    """Names that are bound in the function by something else than a plain name."""
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Global | ast.Nonlocal):
            found.update(node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name)
        elif isinstance(node, Scope) and node is not function:
            if not isinstance(node, ast.Lambda):
                found.add(node.name)
            found.update(a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs))
        elif isinstance(node, ast.JoinedStr):
            # Inside an f-string positions are not to be relied on before Python 3.12.
            found.update(inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
    return found


def _uses(node: ast.AST, name: str) -> Iterator[ast.Name]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id == name:
            yield inner


def _target(node: ast.Assign) -> str:
    target = node.targets[0]
    return target.id if len(node.targets) == 1 and isinstance(target, ast.Name) else ""


def _put(edits: dict[tuple[int, int], Edit], node: ast.expr | ast.stmt, text: str) -> None:
    """Replace a whole node, whatever else was to be changed where it begins."""
    edits.update({edit[:2]: edit for edit in replace(node, text)})


def _covers(outer: Edit, inner: Edit) -> bool:
    """Whether one edit replaces all that the other would change."""
    return (
        outer is not inner
        and outer[0] == inner[0]
        and outer[1] <= inner[1]
        and (outer[2] < 0 or 0 <= inner[2] <= outer[2])
    )


def _slots(tree: ast.Module) -> Iterator[Edit]:
    """The edits that take out ``__slots__``; a class may have nothing else."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                if isinstance(statement, ast.Assign) and _target(statement) == "__slots__":
                    yield from replace(statement, "pass")
