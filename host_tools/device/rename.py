"""Make the names of a whole program cheaper: spellings that the interpreter knows, no names for constants.

A spelling that MicroPython does not have in its table of strings anyway costs the handheld's RAM an entry in
that table, which grows by doubling: beyond 600 of them it takes 7 kB at once, beyond 1,240 another 14 kB. A
name in a module or class costs an entry in a dictionary. Only names change, and only in a whole program (the
bundle), where every use of one can be seen:

- An *attribute* is renamed where the program itself defines it, everywhere at once and no two to the same
  spelling. Attributes that somebody else's code may know keep theirs: those of `foreign` texts, those that
  are interned, special names.
- A *global* gets a spelling that is nowhere a local name, a builtin or another global's. What was imported
  keeps its name, and so do exceptions, for crash notes show them.
- A global that is a *constant*, text, bytes, numbers or a tuple of those, becomes a ``const()``: the compiler
  writes it in where it is used, and the module's dictionary does not hold it.
- An *exception* without a body of its own that nobody catches by its name, or asks for, is its base.
- *Texts* in functions, too long to be interned, are cut out of one long text when they are wanted: each would
  otherwise be an object in RAM, 40 bytes, however seldom it is seen.
- A *class* with methods forgets ``__module__`` and ``__qualname__``, which nobody asks for, before it keeps
  its methods. That takes its docstring's place.

Tracebacks show the new names of functions beside lines of the bundle; `lines.txt` and the sources say what
stands there. The program must not look up names at run time (`globals`, or `getattr` with anything but a
literal) nor have f-strings, whose parts have no positions; such a program is refused with RenameError.
"""

from __future__ import annotations

import ast
import builtins
import keyword
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from host_tools.device.edits import Edit, apply, replace

INTERNED = Path(__file__).with_name("interned.txt")
#: What the interpreter itself asks objects of the program for, or gives its exceptions.
_PROTOCOL = frozenset(
    ("args", "close", "errno", "flush", "ioctl", "read", "readinto", "seek", "value", "write")
)
#: Literals of up to this length are interned by the compiler.
_INTERNED_BYTES = 10
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
        self.constants = self._constants({*foreign, entry})
        unsafe = self._locals() | set(dir(builtins)) | set(keyword.kwlist) | _LOOK_UPS | {"const"}
        names = self._globals() - set(self.constants)
        unsafe |= names | {entry} | self._imported()
        candidates = dict.fromkeys([*free, *sorted(spellings)])
        self.globals = _assigned(
            sorted(name for name in names - kept if not name.startswith("_const_")),
            [name for name in candidates if name not in unsafe and not name.startswith("__")],
        )
        self.globals.update((name, f"_const_of_{name}") for name in self.constants)
        self.merged = self._merged({*foreign, entry})
        self._texts = _Texts(self._tree)
        self.globals.update(self.merged)

    def renamed(self) -> str:
        """The program's text with the new names, line for line."""
        return apply(self._text, [*self._edits(self._tree, None), *self._texts.edits(self._tree)])

    def _refuse(self) -> None:
        literal = {call.func for call in self._look_ups()}
        for node in ast.walk(self._tree):
            if isinstance(node, ast.JoinedStr):
                raise RenameError(f"line {node.lineno}: f-string")
            if node in literal:
                continue
            if isinstance(node, ast.Name) and node.id in _LOOK_UPS and isinstance(node.ctx, ast.Load):
                raise RenameError(f"line {node.lineno}: {node.id}")

    def _look_ups(self) -> Iterator[ast.Call]:
        """The calls of `getattr` and `hasattr` with a literal."""
        for node in ast.walk(self._tree):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in ("getattr", "hasattr")
                and _literal(node)
            ):
                yield node

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
        used.update(_literal(call) for call in self._look_ups())
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
        exceptions = _exceptions(self._tree)
        found = self._declared()
        for statement in self._tree.body:
            if isinstance(statement, _Definition):
                found.add(statement.name)
            elif isinstance(statement, ast.Assign):
                found.update(
                    target.id
                    for whole in statement.targets
                    for target in (whole.elts if isinstance(whole, ast.Tuple) else [whole])
                    if isinstance(target, ast.Name)
                )
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                found.add(statement.target.id)
        in_classes = {
            name
            for node in ast.walk(self._tree)
            if isinstance(node, ast.ClassDef)
            for name in _bound_in_class(node)
        }
        return found - exceptions - self._locals() - in_classes - self._imported()

    def _constants(self, kept: set[str]) -> dict[str, object]:
        """The values of the globals that a ``const()`` can hold: bound once, before they are used."""
        mentions = Counter(n.id for n in ast.walk(self._tree) if isinstance(n, ast.Name) and _binds(n))
        first: dict[str, int] = {}
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Name) and not _binds(node):
                first[node.id] = min(first.get(node.id, node.lineno), node.lineno)
        free = self._globals() - kept
        found: dict[str, object] = {}
        for statement in self._tree.body:
            name = _target(statement)
            if name not in free or mentions[name] != 1 or name.startswith("_const_"):
                continue
            try:
                value = _value(statement.value, found)  # type: ignore[attr-defined]
            except ValueError:
                continue
            if (statement.end_lineno or 0) < first.get(name, 1 << 30):
                found[name] = value
        return found

    def _merged(self, kept: set[str]) -> dict[str, str]:
        """Exceptions that are nothing but another name for their base, and what to write for them."""
        plain: dict[str, str] = {}
        for statement in self._tree.body:
            if not isinstance(statement, ast.ClassDef) or statement.keywords:
                continue
            if len(statement.bases) == len(statement.body) == 1 and ast.get_docstring(statement) is not None:
                plain[statement.name] = ast.unparse(statement.bases[0])
        mentions = Counter(node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name))
        harmless: Counter[str] = Counter()
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                harmless[node.func.id] += 1
            elif isinstance(node, ast.ClassDef):
                harmless.update(base.id for base in node.bases if isinstance(base, ast.Name))
        ancestors = _exceptions(self._tree)
        plain = {n: b for n, b in plain.items() if n in ancestors - kept and mentions[n] == harmless[n]}
        found = {}
        for name, base in plain.items():
            while base in plain:
                base = plain[base]
            found[name] = base
        return found

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
        name = _target(node)
        if name in self.constants and node in self._tree.body:
            yield from replace(node, f"_const_of_{name} = const({self.constants[name]!r})")
            return
        if isinstance(node, ast.ClassDef) and node.name in self.merged and node in self._tree.body:
            yield from replace(node, "pass")
            return
        if isinstance(node, _Definition):
            top = node in self._tree.body
            new = self.attributes.get(node.name) if inside is not None else None
            new = self.globals.get(node.name) if top else new
            if new:
                start = (
                    self._lines[node.lineno - 1].encode().index(b" " + node.name.encode(), node.col_offset)
                )
                yield node.lineno, start + 1, start + 1 + len(node.name.encode()), new
            within = None
            if isinstance(node, ast.ClassDef):
                within = _bound_in_class(node)
                if ast.get_docstring(node) is not None and within:
                    yield from replace(node.body[0], "del __module__, __qualname__")
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
        elif node in self._texts.where:
            yield from replace(node, self._texts.where[node])
            return
        elif isinstance(node, ast.Name):
            new = (self.attributes if inside and node.id in inside else self.globals).get(node.id)
            if new:
                yield node.lineno, node.col_offset, node.end_col_offset or 0, new
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
            new = self.attributes.get(_literal(node))
            if new:
                yield from replace(node.args[1], repr(new))
        elif isinstance(node, ast.Global):
            names = ", ".join(self.globals.get(name, name) for name in node.names)
            yield node.lineno, node.col_offset, node.end_col_offset or 0, f"global {names}"
        if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            inside = None
        for child in ast.iter_child_nodes(node):
            yield from self._edits(child, inside)


class _Texts:
    """One text that holds the texts of a program's functions, and what to write where one stood.

    Nothing is done in a program without a docstring, for that makes room for the text.
    """

    def __init__(self, tree: ast.Module) -> None:
        #: The literals, and the expressions that take their places.
        self.where: dict[ast.Constant, str] = {}
        found: list[ast.Constant] = []
        if ast.get_docstring(tree) is not None:
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    for statement in node.body:
                        found += _spoken(statement)
        found = [node for node in found if isinstance(node.value, str) and node.value.isascii()]
        found = [node for node in found if len(node.value) > _INTERNED_BYTES]  # type: ignore[arg-type]
        self._text = ""
        for node in sorted(dict.fromkeys(found), key=lambda node: (-len(str(node.value)), str(node.value))):
            value = str(node.value)
            if value not in self._text:
                self._text += value
            at = self._text.index(value)
            self.where[node] = f"_const_texts[{at}:{at + len(value)}]"

    def edits(self, tree: ast.Module) -> Iterator[Edit]:
        """The text itself, in the place of the program's docstring."""
        if self.where:
            yield from replace(tree.body[0], f"_const_texts = const({self._text!r})")


def _spoken(node: ast.AST) -> Iterator[ast.Constant]:
    """The literals in a statement that are worth something when it runs."""
    if isinstance(node, ast.Constant):
        yield node
    elif isinstance(node, _Definition) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ):
        return  # a function inside comes by itself; a text alone is a docstring
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
        return
    else:
        for field, value in ast.iter_fields(node):
            if field != "annotation":
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        yield from _spoken(child)


def _exceptions(tree: ast.Module) -> set[str]:
    """The names of the program's own exceptions."""
    found = {name for name, value in vars(builtins).items() if isinstance(value, type)}
    found = {name for name in found if issubclass(getattr(builtins, name), BaseException)}
    given = set(found)
    for statement in tree.body:
        bases = statement.bases if isinstance(statement, ast.ClassDef) else []
        if any(isinstance(base, ast.Name) and base.id in found for base in bases):
            found.add(statement.name)  # type: ignore[attr-defined]
    return found - given


def _literal(call: ast.Call) -> str:
    """The name that a `getattr` asks for, "" where that is no literal."""
    name = call.args[1] if len(call.args) > 1 else None
    return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else ""


def _binds(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _target(node: ast.AST) -> str:
    """The name that a plain assignment binds, "" for every other node."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return ""


def _value(node: ast.expr, known: dict[str, object]) -> object:
    """What an expression of constants stands for. Raises ValueError for any other."""
    if isinstance(node, ast.Name) and node.id in known:
        return known[node.id]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _value(node.left, known), _value(node.right, known)
        if isinstance(left, str) and isinstance(right, str):
            return left + right
        if isinstance(left, bytes) and isinstance(right, bytes):
            return left + right
        raise ValueError
    if isinstance(node, ast.Tuple) and node.elts:
        return tuple(_value(element, known) for element in node.elts)
    value: object = ast.literal_eval(node)
    if type(value) not in (int, str, bytes):
        raise ValueError
    return value


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
