"""Put all modules of the program into one, because every module costs the handheld's RAM twice.

A module that MicroPython runs from ROM still keeps its table of names, its table of constants and a
dictionary in RAM, and every name that another module imports stands in that one's dictionary too. In one
module everything stands once.

Modules follow each other in the order in which Python would run them. ``from package.module import name``
goes away, as do ``module.name`` and what only type checkers read; a global name that exists twice, or that
is a local name somewhere, gets another one. Lines keep their order and their number: line n of the bundle is
one line of one source, and `Bundle.origin` says which.

What cannot be bundled safely is refused with BundleError, not guessed at: circular imports, imports inside
functions, modules used as values, assignments to another module's names.
"""

from __future__ import annotations

import ast
import builtins
import string
from collections import Counter
from collections.abc import Iterator
from itertools import product

from host_tools.device.edits import Edit, apply, blank, replace

Key = tuple[str, str]  # (module, name) of a global; for somebody else's module (module, "")
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class BundleError(Exception):
    """Something that the bundler does not understand; the message says where."""


class Bundle:
    """One module made of `sources` (dotted name → text); `entry`, ``package.module.function``, keeps its name
    and its module is run last.
    """

    def __init__(self, sources: dict[str, str], entry: str) -> None:
        self._sources = sources
        module, _, function = entry.rpartition(".")
        self._entry = (module, function)
        self._trees = {module: _runtime(ast.parse(text)) for module, text in sources.items()}
        self._globals = {module: self._bindings(module) for module in sources}
        self._order: list[str] = []
        for module in sorted(sources, key=lambda name: (name == self._entry[0], name)):
            self._sort(module, ())
        self._names = self._choose_names()
        self._starts: list[tuple[int, str]] = []
        lines: list[str] = []
        seen: set[tuple[str, str, str]] = set()
        for module in self._order:
            self._starts.append((len(lines) + 1, module))
            lines += self._rewrite(module, seen).splitlines()
        self.text = "\n".join(lines) + "\n"

    def origin(self, line: int) -> tuple[str, int]:
        """Module and line there of a line of the bundle."""
        start, module = max(pair for pair in self._starts if pair[0] <= line)
        return module, line - start + 1

    def table(self) -> str:
        """A line ``FIRST MODULE`` for each module: what `origin` knows, for keeping beside a release."""
        return "".join(f"{start} {module}\n" for start, module in self._starts)

    def _bindings(self, module: str) -> dict[str, Key]:
        """What each global name of a module stands for."""
        found: dict[str, Key] = {}
        for statement in _top_level(self._trees[module].body):
            if isinstance(statement, ast.ImportFrom):
                for alias in statement.names:
                    found[alias.asname or alias.name] = self._imported(module, statement, alias)
            elif isinstance(statement, ast.Import):
                for alias in statement.names:
                    if alias.name not in self._sources:
                        if "." in alias.name:
                            raise BundleError(f"{module}:{statement.lineno}: import of {alias.name}")
                        found[alias.asname or alias.name] = (alias.name, "")
            else:
                found.update({name: (module, name) for name in _stored(statement)})
        return found

    def _imported(self, module: str, statement: ast.ImportFrom, alias: ast.alias) -> Key:
        if statement.level or alias.name == "*":
            raise BundleError(f"{module}:{statement.lineno}: import that is not absolute")
        whole = f"{statement.module}.{alias.name}"
        return (whole, "") if whole in self._sources else (statement.module or "", alias.name)

    def _definer(self, key: Key) -> Key:
        """Where a name that modules hand on was made; raises BundleError where nobody made it."""
        while key[0] in self._sources and key[1]:
            made = self._globals[key[0]].get(key[1])
            if made is None:
                raise BundleError(f"{key[0]} has no {key[1]}")
            if made == key:
                break
            key = made
        return key

    def _sort(self, module: str, path: tuple[str, ...]) -> None:
        """Append a module to the order, behind all that it imports."""
        if module in path:
            raise BundleError("circular import: " + " ".join((*path, module)))
        if module in self._order:
            return
        for statement in _top_level(self._trees[module].body):
            for needed in self._needs(statement):
                self._sort(needed, (*path, module))
        self._order.append(module)

    def _needs(self, statement: ast.stmt) -> Iterator[str]:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names if alias.name in self._sources)
        elif isinstance(statement, ast.ImportFrom):
            if statement.module in self._sources:
                yield statement.module
            for alias in statement.names:
                if f"{statement.module}.{alias.name}" in self._sources:
                    yield f"{statement.module}.{alias.name}"

    def _choose_names(self) -> dict[Key, str]:
        """A name for every global, no two alike; none is a builtin's or bound in any function or class."""
        keys: dict[Key, str] = {}
        taken = set(dir(builtins))
        attributes: set[str] = set()
        for module in self._order:
            for name, key in self._globals[module].items():
                if self._definer(key) == key and not (key[0] in self._sources and not key[1]):
                    keys.setdefault(key, name)
            taken |= _bound_inside(self._trees[module])
            attributes |= {n.attr for n in ast.walk(self._trees[module]) if isinstance(n, ast.Attribute)}
        counts = Counter(keys.values())
        constants = {(m, n) for m in self._order for n in _constants(self._trees[m])}
        chosen = {}
        for key, name in keys.items():
            if counts[name] == 1 and name not in taken and key not in constants:
                chosen[key] = name
        if chosen.get(self._entry) != self._entry[1]:
            raise BundleError(f"{self._entry[1]} has to be the only one of that name")
        taken |= set(chosen.values())
        pool = _pool(taken, attributes)
        for key, name in keys.items():
            if key in constants:
                # The compiler writes these in, so their names cost nothing, but no two may be the same.
                chosen[key] = f"_const_{len(chosen)}"
            elif key not in chosen:
                chosen[key] = _readable(name, taken) if name[:1].isupper() else next(pool)
                taken.add(chosen[key])
        return chosen

    def _rewrite(self, module: str, seen: set[tuple[str, str, str]]) -> str:
        """The text of one module as it stands in the bundle, line for line."""
        text = self._sources[module]
        edits: list[Edit] = []
        for statement in ast.parse(text).body:
            if _for_checkers(statement):
                edits += blank(statement)
        for statement in _top_level(self._trees[module].body):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                nested = statement.col_offset > 0
                edits += replace(statement, self._import(module, statement, None if nested else seen))
        edits += self._references(module)
        return apply(text, edits)

    def _import(
        self, module: str, statement: ast.Import | ast.ImportFrom, seen: set[tuple[str, str, str]] | None
    ) -> str:
        """What stays of an import statement; `seen` holds what is imported already."""
        parts = []
        for alias in statement.names:
            name = alias.asname or alias.name
            key = self._definer(self._globals[module][name]) if name in self._globals[module] else ("", "")
            if not key[0] or key[0] in self._sources:
                continue
            new = self._names[key]
            what = key[1] or key[0]
            if seen is not None:
                if (*key, new) in seen:
                    continue
                seen.add((*key, new))
            renamed = what if what == new else f"{what} as {new}"
            parts.append(f"from {key[0]} import {renamed}" if key[1] else f"import {renamed}")
        return "; ".join(parts) or "pass"

    def _references(self, module: str) -> Iterator[Edit]:
        """Edits of everything that names a global."""
        known = self._globals[module]
        text_lines = self._sources[module].splitlines()
        handled: set[ast.AST] = set()
        for node in _global_uses(self._trees[module]):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                key = known.get(node.value.id)
                if key is None or key[1] or key[0] not in self._sources:
                    continue
                handled.add(node.value)
                if not isinstance(node.ctx, ast.Load):
                    raise BundleError(f"{module}:{node.lineno}: assignment to a name of {key[0]}")
                yield from replace(node, self._names[self._definer((key[0], node.attr))])
            elif isinstance(node, ast.Name) and node not in handled and node.id in known:
                key = self._definer(known[node.id])
                if key[0] in self._sources and not key[1]:
                    raise BundleError(f"{module}:{node.lineno}: module {node.id} used as a value")
                if self._names[key] != node.id:
                    yield from replace(node, self._names[key])
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                new = self._names[(module, node.name)]
                if new != node.name:
                    line = text_lines[node.lineno - 1].encode()
                    start = line.index(b" " + node.name.encode(), node.col_offset) + 1
                    yield node.lineno, start, start + len(node.name.encode()), new
            elif isinstance(node, ast.Global):
                new = ", ".join(self._names[self._definer(known[name])] for name in node.names)
                yield from replace(node, f"global {new}")


def _for_checkers(statement: ast.stmt) -> bool:
    """Whether a statement is there for tools alone: ``if False``, ``if TYPE_CHECKING``, ``__all__``."""
    if isinstance(statement, ast.If) and not statement.orelse:
        return ast.unparse(statement.test) in ("False", "TYPE_CHECKING")
    return isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) in (
        "TYPE_CHECKING",
        "__all__",
    )


def _runtime(tree: ast.Module) -> ast.Module:
    """The tree without what is there for tools alone."""
    tree.body = [statement for statement in tree.body if not _for_checkers(statement)]
    return tree


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those under ``try``, ``if``, ``with`` and loops too."""
    for statement in body:
        yield statement
        for field in ("body", "orelse", "finalbody"):
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from _top_level(getattr(statement, field, []))
        for handler in getattr(statement, "handlers", []):
            yield from _top_level(handler.body)


def _stored(statement: ast.stmt) -> set[str]:
    """The names that one statement itself binds in the scope it stands in."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    found = set()
    for node in _same_scope(statement):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
    return found


def _same_scope(node: ast.AST) -> Iterator[ast.AST]:
    """A node and those below it that do not belong to a scope of their own."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Function | ast.ClassDef | Comprehension):
            yield from _same_scope(child)


def _bound(scope: ast.AST) -> set[str]:
    """The names that are local to a function, a class body or a comprehension."""
    found: set[str] = set()
    if isinstance(scope, Function):
        a = scope.args
        everything = [*a.posonlyargs, *a.args, *a.kwonlyargs, *([a.vararg] if a.vararg else [])]
        found.update(argument.arg for argument in [*everything, *([a.kwarg] if a.kwarg else [])])
    if isinstance(scope, ast.Lambda):
        return found
    if isinstance(scope, Comprehension):
        for generator in scope.generators:
            found |= {n.id for n in ast.walk(generator.target) if isinstance(n, ast.Name)}
        return found
    elsewhere: set[str] = set()
    for statement in _top_level(getattr(scope, "body", [])):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            raise BundleError(f"line {statement.lineno}: import inside {getattr(scope, 'name', '')}")
        if isinstance(statement, ast.Global | ast.Nonlocal):
            elsewhere.update(statement.names)
        else:
            found |= _stored(statement)
    return found - elsewhere


def _bound_inside(tree: ast.AST) -> set[str]:
    """Every name that is local to something."""
    scopes = Function | ast.ClassDef | Comprehension
    return set().union(*(_bound(node) for node in ast.walk(tree) if isinstance(node, scopes)))


def _global_uses(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes that name a global: names, attributes of such names (before those), definitions at the top,
    ``global``.
    """
    for statement in _top_level(tree.body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement
    yield from _uses(tree, ())


def _uses(node: ast.AST, scopes: tuple[tuple[bool, set[str]], ...]) -> Iterator[ast.AST]:
    """Those below a node; `scopes` are (is a class, names) from the outermost to that around the node."""
    if isinstance(node, ast.Global):
        yield node
    name = node.value if isinstance(node, ast.Attribute) else node
    if isinstance(name, ast.Name) and not any(name.id in names for _, names in scopes):
        yield node
    if isinstance(node, Function | ast.ClassDef | Comprehension):
        inner = (*_functions(scopes), (isinstance(node, ast.ClassDef), _bound(node)))
        own = {"body", "elt", "key", "value", "generators"}
    else:
        inner = scopes
        own = set()
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _uses(child, inner if field in own else scopes)


def _functions(scopes: tuple[tuple[bool, set[str]], ...]) -> tuple[tuple[bool, set[str]], ...]:
    """The scopes whose names a function inside them can see: not those of classes."""
    return tuple(scope for scope in scopes if not scope[0])


def _constants(tree: ast.Module) -> Iterator[str]:
    """Names of ``_x = const(...)`` lines, which leave nothing behind when compiled."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("const("):
            name = ast.unparse(node.targets[0])
            if name.startswith("_"):
                yield name


def _pool(taken: set[str], attributes: set[str]) -> Iterator[str]:
    """Short private names: first those that stand in the table of strings anyway, as attributes."""
    for name in sorted(attributes):
        if name.startswith("_") and len(name) <= 3 and name not in taken:
            yield name
    for size in (1, 2):
        for parts in product(string.ascii_lowercase, repeat=size):
            name = "_" + "".join(parts)
            if name not in taken and name not in attributes:
                yield name


def _readable(name: str, taken: set[str]) -> str:
    """A name close to `name` that is free."""
    while name in taken:
        name += "_"
    return name
