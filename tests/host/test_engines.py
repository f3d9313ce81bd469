"""What is built for which processor: its engine alone, its native code alone, and a table that it reads."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from conftest import ROOT, micropython

from firmware.core import p256
from firmware.core.p256_comb import SUB_TABLE, Verifier
from firmware.core.p256_portable import LIMB_SCALE, PortableEngine
from host_tools.device import build, engines, romfs

# What is built is built once.
pytestmark = pytest.mark.xdist_group("engines")

KERNEL = ("adpcm_native", "base45_native", "p256_limbs", "p256_slots")


@pytest.fixture(scope="module", params=engines.TARGETS)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A target and the folder built for it."""
    return request.param, build.build(tmp_path_factory.mktemp("device"), request.param)


def test_the_text_of_the_choice_is_the_modules_own_interface() -> None:
    """Whatever the target, main.py finds the same names; the repository's own file is the portable one."""
    names = []
    for target in engines.TARGETS:
        tree = ast.parse(engines.module(target))
        bound = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        for node in ast.walk(tree):
            if isinstance(node, ast.alias):
                bound.add(node.name)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                bound |= {name.id for name in targets if isinstance(name, ast.Name)}
        names.append(bound)
        assert {"decode", "groups", "make_engine"} <= bound
    assert engines.module(engines.PORTABLE) == (ROOT / "firmware" / "engine.py").read_text("utf-8")
    assert engines.module("x64") == engines.module(engines.BOARD)


def test_only_what_was_chosen_is_built(built: tuple[str, Path]) -> None:
    target, tree = built
    native = target != engines.PORTABLE
    for name in KERNEL:
        assert (tree / "rom" / f"{name}.mpy").is_file() == native
    modules = (tree / "lines.txt").read_text().split()[1::2]
    assert ("firmware.core.p256_native" in modules) == native
    assert ("firmware.core.p256_portable" in modules) != native
    assert {"firmware.core.p256_comb", "firmware.services.tables", "firmware.engine"} <= set(modules)


def test_native_code_is_for_the_target(built: tuple[str, Path]) -> None:
    """The third byte of an .mpy file has the processor in its upper six bits (py/persistentcode.h)."""
    target, tree = built
    numbers = {"x64": 2, engines.BOARD: 10}
    for path in sorted((tree / "rom").rglob("*.mpy")):
        feature = path.read_bytes()[2] >> 2
        assert feature == (numbers[target] if path.stem in KERNEL else 0), path


def test_the_generators_table_is_of_the_engines_kind(built: tuple[str, Path]) -> None:
    target, tree = built
    table = (tree / "rom" / "assets" / "generator.tab").read_bytes()
    assert len(table) == engines.GENERATOR_SUB_TABLES * SUB_TABLE
    engine = PortableEngine(1 if target == engines.PORTABLE else LIMB_SCALE)
    # The sum of all teeth, 2**(32 t) for t = 0 … 7, is the last point of the first sub-table.
    x, y, z = 1, 1, 0
    for bit in range(255, -1, -1):
        if z:
            x, y, z = p256._double(x, y, z)
        if bit % 32 == 0:
            x, y, z = p256._add(x, y, z, p256.GX, p256.GY)
    inverse = pow(z, -1, p256.P)
    point = [x * inverse**2, y * inverse**3]
    last = table[SUB_TABLE - 64 : SUB_TABLE]
    assert last == b"".join((value * engine.scale % p256.P).to_bytes(32, "little") for value in point)
    if target == engines.PORTABLE:
        key = p256.GX.to_bytes(32, "big") + p256.GY.to_bytes(32, "big")
        r = p256.GX % p256.N
        signature = r.to_bytes(32, "big") + ((7 + r) % p256.N).to_bytes(32, "big")
        steps = Verifier(engine, table).verify_steps(
            table[:SUB_TABLE], key, (7).to_bytes(32, "big"), signature
        )
        with pytest.raises(StopIteration) as end:
            while True:
                next(steps)
        assert end.value.value is True


def test_the_table_begins_where_native_code_may_read_words(built: tuple[str, Path]) -> None:
    _, tree = built
    image = (tree / "rom.img").read_bytes()
    table = (tree / "rom" / "assets" / "generator.tab").read_bytes()
    assert image.count(table) == 1
    assert image.index(table) % 4 == 0


def test_any_alignment_is_mended(tmp_path: Path) -> None:
    """Files of every length before it push the aligned one about; an image without one is as it comes."""
    aligned = bytes(range(200))
    for length in range(9):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / "a").write_bytes(b"x" * length)
        (folder / "b").write_bytes(aligned)
        image = romfs.pack(folder, aligned)
        assert image.index(aligned) % 4 == 0
        assert romfs.pack(folder, aligned) == image
    (tmp_path / "0" / "b").unlink()
    assert romfs.pack(tmp_path / "0")


def test_the_target_of_an_interpreter(tmp_path: Path) -> None:
    assert engines.target_of(micropython()) in engines.TARGETS
    for answer, target in (
        ("10", "xtensawin"),
        ("2", "x64"),
        ("0", "portable"),
        ("7", "portable"),
        ("", "portable"),
    ):
        fake = tmp_path / "interpreter"
        fake.write_text(f"#!/bin/sh\necho {answer}\n")
        fake.chmod(0o755)
        assert engines.target_of(str(fake)) == target


def test_the_kernel_is_imported_from_the_top() -> None:
    text = "from firmware.core.p256_slots import gather\nfrom firmware.core.p256 import N\n"
    assert engines.top_level(text) == "from p256_slots import gather\nfrom firmware.core.p256 import N\n"
    for name in engines.KERNEL:
        # Nothing bundles these: they can import nothing of ours.
        tree = ast.parse((ROOT / f"{name}.py").read_text("utf-8"))
        assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree))
