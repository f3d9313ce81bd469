"""Leave out of a closed program what nothing in it uses.

The formats of firmware/core are shared with the host tools, which write what the handheld reads, and drivers
offer more than one firmware asks for. Every function costs the handheld's RAM, used or not.

A function, method, class or table goes when its bare name is mentioned nowhere outside itself: not as a
name, not as an attribute of anything, not as a text. That errs on the side of keeping. Methods with double
underscores stay, and so do all methods of classes that extend somebody else's, for he may call them. Line
numbers stay as they are.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from host_tools.device.edits import Edit, apply, replace

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def prune(sources: dict[str, str], entry: str) -> dict[str, str]:
    """The sources (dotted module → text) without what is not used, starting from the function `entry`."""
    trees = {module: ast.parse(text) for module, text in sources.items()}
    classes = {node.name for t in trees.values() for node in ast.walk(t) if isinstance(node, ast.ClassDef)}
    gone: set[ast.AST] = set()
    while True:
        used = {entry.rpartition(".")[2]}
        for tree in trees.values():
            used.update(_mentions(tree, gone, frozenset()))
        _add_originals(trees, used)
        found = {node for tree in trees.values() for node in _unused(tree.body, used, classes, gone)}
        if not found:
            break
        gone |= found
    return {module: _without(sources[module], trees[module], gone, used, sources) for module in sources}


def _mentions(node: ast.AST, gone: set[ast.AST], inside: frozenset[str]) -> Iterator[str]:
    """Names that code mentions; `inside` are the definitions that it stands in, which do not count."""
    if node in gone or isinstance(node, ast.Import | ast.ImportFrom) or _for_checkers(node):
        return
    name = ""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        name = node.id
    elif isinstance(node, ast.Attribute):
        name = node.attr
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        name = node.value
    elif isinstance(node, ast.Global | ast.Nonlocal):
        yield from node.names
    elif isinstance(node, Definition):
        inside |= {node.name}
    if name and name not in inside:
        yield name
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _mentions(child, gone, inside)


def _add_originals(trees: dict[str, ast.Module], used: set[str]) -> None:
    """What is used under another name is used."""
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                used.update(alias.name for alias in node.names if alias.asname in used)


def _unused(
    body: list[ast.stmt], used: set[str], classes: set[str], gone: set[ast.AST]
) -> Iterator[ast.stmt]:
    """Definitions in a module or class that nothing mentions."""
    for node in body:
        if node in gone:
            continue
        if isinstance(node, Definition):
            if node.name not in used and not (node.name.startswith("__") and node.name.endswith("__")):
                yield node
            elif isinstance(node, ast.ClassDef) and all(
                isinstance(base, ast.Name | ast.Attribute) and ast.unparse(base).rpartition(".")[2] in classes
                for base in node.bases
            ):
                yield from _unused(node.body, used, classes, gone)
        elif isinstance(node, ast.Assign) and _is_table(node) and ast.unparse(node.targets[0]) not in used:
            yield node


def _is_table(node: ast.Assign) -> bool:
    """Whether an assignment binds one name to something that takes no call to make."""
    quiet = ast.Constant | ast.Name | ast.Attribute | ast.Dict | ast.Tuple | ast.List | ast.expr_context
    signs = ast.UnaryOp | ast.unaryop | ast.BinOp | ast.operator
    return (
        len(node.targets) == 1
        and isinstance(node.targets[0], ast.Name)
        and not node.targets[0].id.startswith("__")
        and all(isinstance(part, quiet | signs) for part in ast.walk(node.value))
    )


def _for_checkers(node: ast.AST) -> bool:
    """Whether this is an ``if`` whose block only type checkers read."""
    return (
        isinstance(node, ast.If) and not node.orelse and ast.unparse(node.test) in ("False", "TYPE_CHECKING")
    )


def _without(text: str, tree: ast.Module, gone: set[ast.AST], used: set[str], sources: dict[str, str]) -> str:
    """The text of one module without what is gone, and without imports of what nothing mentions."""
    edits: list[Edit] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and node in gone:
            if isinstance(node, Definition) and node.decorator_list:
                # The decorators stand above the line that the definition is said to be in.
                first = min(decorator.lineno for decorator in node.decorator_list)
                edits += [(line, node.col_offset, -1, "") for line in range(first, node.lineno)]
            edits += replace(node, "pass")
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and _of_program(node, sources):
            kept = [a for a in node.names if (a.asname or a.name) in used or (a.asname or a.name)[:1] == "_"]
            if len(kept) < len(node.names):
                names = ", ".join(ast.unparse(alias) for alias in kept)
                # Where no name is left the module is still run.
                edits += replace(
                    node, f"from {node.module} import {names}" if kept else f"import {node.module}"
                )
    return apply(text, edits)


def _of_program(node: ast.ImportFrom, sources: dict[str, str]) -> bool:
    return node.module in sources
