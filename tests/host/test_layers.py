"""Who may import whom, as docs/architecture.md says it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STDLIB_OF_CORE = {"struct", "binascii", "hashlib", "typing"}
#: folder → project packages that its files may import
ALLOWED = {
    "firmware/core": {"firmware.core"},
    "drivers": {"drivers"},
    "firmware/services": {"firmware.core", "firmware.services", "drivers"},
    "firmware/ui": {"firmware.core", "firmware.ui", "drivers.displayio"},
    "host_tools": {"firmware.core", "host_tools"},
    "simulator": {"simulator", "host_tools"},
    "simulator/devices": {"simulator.devices", "simulator.timebase"},
    "simulator/shims": set(),
}
#: single files with a wider licence
ROOTS = {
    "firmware/main.py",
    "firmware/board.py",
    "firmware/engine.py",
    # measures the handheld's own table store, on MicroPython
    "host_tools/bench/flash_mpy.py",
    # and this one its journals
    "host_tools/bench/journal_mpy.py",
    # and this one fills one
    "host_tools/bench/journal_fill_mpy.py",
    # and these its screens
    "host_tools/bench/ui_jobs_mpy.py",
    "host_tools/bench/ui_mpy.py",
    # puts a whole bus together: authority, server's keys, handheld, passengers
    "simulator/busday.py",
    # and this one its packs
    "host_tools/bench/packs_mpy.py",
}
OURS = ("firmware", "drivers", "simulator", "host_tools", "tests")


def imports(path: Path) -> list[tuple[str, bool]]:
    """Modules that a file imports, each with whether it is imported for annotations alone (`if False:`)."""
    found: list[tuple[str, bool]] = []

    def walk(node: ast.AST, typing_only: bool) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("False", "TYPE_CHECKING"):
            typing_only = True
        if isinstance(node, ast.Import):
            found.extend((alias.name, typing_only) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append((node.module or "", typing_only))
            found.extend((f"{node.module}.{alias.name}", typing_only) for alias in node.names)
        for child in ast.iter_child_nodes(node):
            walk(child, typing_only)

    walk(ast.parse(path.read_text("utf-8")), False)
    return found


def files() -> list[Path]:
    """Every Python file of ours outside the tests."""
    return sorted(p for top in OURS[:-1] for p in (ROOT / top).rglob("*.py"))


def rule_of(path: Path) -> set[str]:
    """What the longest matching folder of ALLOWED grants to a file."""
    relative = path.relative_to(ROOT).as_posix()
    folder = max((f for f in ALLOWED if relative.startswith(f + "/")), key=len)
    return ALLOWED[folder]


@pytest.mark.parametrize("path", files(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_follow_the_layers(path: Path) -> None:
    relative = path.relative_to(ROOT).as_posix()
    if relative in ROOTS:
        return
    for name, typing_only in imports(path):
        if typing_only or name.split(".")[0] not in OURS:
            continue
        granted = rule_of(path)
        assert any(name == g or name.startswith(g + ".") for g in granted) or any(
            g.startswith(name + ".") for g in granted
        ), f"{relative} imports {name}"


def test_core_is_pure() -> None:
    for path in sorted((ROOT / "firmware" / "core").rglob("*.py")):
        allowed = STDLIB_OF_CORE | ({"deflate", "zlib", "io", "sys"} if path.name == "inflate.py" else set())
        for name, typing_only in imports(path):
            top = name.split(".")[0]
            assert typing_only or top == "firmware" or top in allowed, f"{path.name} imports {name}"


def test_only_the_board_knows_the_machine() -> None:
    for path in files():
        relative = path.relative_to(ROOT).as_posix()
        if relative in ("firmware/board.py", "firmware/boot.py") or not relative.startswith(
            ("firmware", "drivers")
        ):
            continue
        used = {name.split(".")[0] for name, typing_only in imports(path) if not typing_only}
        assert not used & {"machine", "esp32", "network"}, relative


def test_no_lazy_imports() -> None:
    for path in files():
        if "shims" in path.parts or path.name == "kit_mpy.py":
            # Shims stand for C modules, which cost the board no heap before they are used; the bench loads
            # the one engine that its argument names, for others may not load on this machine.
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for inner in ast.walk(node):
                    assert not isinstance(inner, (ast.Import, ast.ImportFrom)), f"{path}:{node.name}"


def test_the_firmware_never_asks_whether_it_is_simulated() -> None:
    for top in ("firmware", "drivers"):
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Name):
                    assert "simulat" not in node.id.lower(), path
