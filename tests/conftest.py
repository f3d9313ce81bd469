"""Collects ``tests/unit`` under CPython and MicroPython, ``tests/mpy`` under MicroPython alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from host_tools.bench.postgres import WHAT, Postgres, find_postgresql
from host_tools.server.sealing_keys import SealingKeys
from host_tools.server.store import Store

ROOT = Path(__file__).resolve().parent.parent
TESTDATA = Path(os.environ.get("YIMA_TESTDATA", ROOT.parent / "shared" / "testdata"))
STRICT = bool(os.environ.get("YIMA_CI"))
#: Folders of tests in which firmware runs by the clock.
REAL_TIME = ("mpy", "sim", "web")
HEAP = re.compile(r"^# heap: (\d+[kM])$", re.MULTILINE)


def micropython() -> str:
    """The interpreter of the simulated handheld, ``MICROPYTHON`` or the pinned one."""
    return os.environ.get("MICROPYTHON") or str(Path(sys.executable).parent / "micropython")


def need(condition: bool, cases: int, what: str) -> None:
    """Skip `cases` cases for want of `what`; in CI a missing part is a failure."""
    if not condition:
        message = f"{cases} cases skipped: {what}"
        if STRICT:
            pytest.fail(message)
        pytest.skip(message)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-snapshots", action="store_true", help="store the screens as they are drawn now"
    )


class MpyFile(pytest.File):
    """A test file that MicroPython runs as one item."""

    def collect(self) -> Iterable[pytest.Item]:
        yield MpyItem.from_parent(self, name="micropython")


class MpyItem(pytest.Item):
    """All functions of one file, in one MicroPython process with a bounded heap."""

    def runtest(self) -> None:
        heap = HEAP.search(self.path.read_text("utf-8"))
        result = subprocess.run(
            [
                micropython(),
                "-X",
                f"heapsize={heap.group(1) if heap else '8M'}",
                str(ROOT / "tests" / "mpy_runner.py"),
                str(self.path),
            ],
            env={**os.environ, "MICROPYPATH": f"{ROOT}:.frozen", "YIMA_TESTDATA": str(TESTDATA), "TZ": "UTC"},
            capture_output=True,
            text=True,
            timeout=600,
            cwd=ROOT,
            check=False,
        )
        if result.returncode:
            raise MpyFailure(result.stdout[-6000:] + result.stderr[-4000:])

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        if isinstance(excinfo.value, MpyFailure):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.path.name} (MicroPython)"


class MpyFailure(Exception):
    """A function failed under MicroPython; the message is the runner's output."""


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.parent.name == "unit" and file_path.name.startswith("test_") and file_path.suffix == ".py":
        return MpyFile.from_parent(parent, path=file_path, name=f"{file_path.name}[mpy]")
    return None


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if module_path.parent.name == "mpy":
        return MpyFile.from_parent(parent, path=module_path)
    return None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this test process alone; each test asks it for a database of its own."""
    programs = find_postgresql()
    need(programs is not None, 1, WHAT)
    assert programs is not None
    server = Postgres(programs, "fsync = off\n")
    yield server
    server.close()


@pytest.fixture(scope="session")
def fleet_template(postgres: Postgres) -> str:
    """A database with the fleet server's tables."""
    address = postgres.create()
    Store(address).close()
    return address


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a fleet server keeps its records: a test that asks for this runs with each kind of database."""
    if request.param == "sqlite":
        return tmp_path / "fleet.db"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.create(request.getfixturevalue("fleet_template"))


@pytest.fixture
def store(where: Path | str) -> Iterator[Store]:
    """The fleet server's records, in each kind of database."""
    opened = Store(where)
    yield opened
    opened.close()


@pytest.fixture
def keys(tmp_path: Path) -> SealingKeys:
    """The sealing keys of a fleet server."""
    return SealingKeys(tmp_path / "sealing")


@pytest.fixture
def door(shared: Any) -> Any:
    """The door that a module's tests share, in surroundings in which nothing is wrong."""
    shared.calm()
    return shared


@pytest.fixture(scope="session")
def testdata() -> Path:
    """The public test data beside the repository; it is not part of it."""
    return TESTDATA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What plays against the clock gets another go: a computer that stands still for a moment breaks it.

    A fault breaks it every time. The summary counts the reruns, and `-rR` names them.
    """
    for item in items:
        if item.path.parent.name in REAL_TIME or item.get_closest_marker("real_time"):
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Groups must hold: a test that goes on where the one before it ended fails anywhere else."""
    if not session.config.getoption("loadgroup", False):
        return
    for item in session.items:
        if next(item.iter_markers("xdist_group"), None) and "@" not in item.nodeid:
            raise pytest.UsageError("this pytest-xdist does not keep the groups of this pytest together")
