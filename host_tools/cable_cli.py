"""`yima export` and `yima import`: records of a handheld that has no network, by cable and on a file."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from host_tools import clockpage
from host_tools.files import FileTrouble, read_limited, write_private
from host_tools.server.imports import Imported, import_file
from host_tools.server.serve import open_keys, open_store
from host_tools.state import State

#: Nothing of a file was refused; some was.
DONE, REFUSED = 0, 1
#: The name of an export on the handheld's side of a mounted folder, and how long a full journal may take.
EXPORT, ANSWER = "export.yex", "import.yak"
CABLE_LIMIT_S = 900


class CableTrouble(Exception):
    """The handheld does not answer on the cable, or not as it should."""


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    """Add both to the commands of `yima`."""
    command = commands.add_parser(
        "import",
        parents=[common],
        help="take records that a cable brought; status 1 if some were refused, 2 for no whole file",
    )
    command.add_argument("files", nargs="+", type=Path, metavar="FILE")
    command.set_defaults(action=_import)
    command = commands.add_parser(
        "export", parents=[common], help="fetch a handheld's records by cable, or bring it the answer"
    )
    command.add_argument("file", nargs="?", type=Path, metavar="FILE", help="where the records go")
    command.add_argument(
        "--port", required=True, metavar="PORT", help="the serial port, as mpremote takes it"
    )
    command.add_argument("--ack", type=Path, metavar="FILE", help="bring this answer of the server instead")
    command.add_argument(
        "--import", dest="here", action="store_true", help="import at once, bring the answer"
    )
    command.set_defaults(action=_export)


def _import(options: argparse.Namespace) -> int:
    status = DONE
    for path in options.files:
        done, answer = _take(options.state, path)
        print(f"{path}: {told(done)}")
        if answer is not None:
            print(f"{path}: bring {answer} back to the handheld: yima export --port PORT --ack {answer}")
        if done.refusal is not None:
            status = REFUSED
    return status


def _take(state: Path, path: Path) -> tuple[Imported, Path | None]:
    store = open_store(State(state))
    try:
        return import_file(store, open_keys(State(state)), path, int(clockpage.now()))
    finally:
        store.close()


def told(done: Imported) -> str:
    """What became of a file's records, in one line."""
    line = f"{done.device_id}: {done.taken} taken, {done.known} known, {done.refused} refused"
    return line if done.refusal is None else f"{line}: {done.refusal}"


def _export(options: argparse.Namespace) -> int:
    if options.ack is not None:
        return _give(options.port, options.ack)
    if options.file is None and not options.here:
        raise FileTrouble("name a file for the records, or say --import")
    with tempfile.TemporaryDirectory() as folder:
        _on_handheld(options.port, Path(folder), f"yima.main('export', '/remote/{EXPORT}')")
        fetched = Path(folder) / EXPORT
        if not fetched.exists():
            raise CableTrouble("the handheld has written nothing")
        if options.file is not None:
            write_private(options.file, read_limited(fetched, 8_388_608))
            print(f"records are in {options.file}")
        if not options.here:
            _restart(options.port)
            return DONE
        done, answer = _take(options.state, fetched)
        print(told(done))
        if answer is not None:
            _give(options.port, answer)
        else:
            _restart(options.port)
        return DONE if done.refusal is None else REFUSED


def _give(port: str, answer: Path) -> int:
    """Bring the server's answer to a handheld; the status."""
    content = read_limited(answer)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ANSWER).write_bytes(content)
        said = _on_handheld(port, Path(folder), f"yima.main('import', '/remote/{ANSWER}')")
    _restart(port)
    return DONE if "acknowledged" in said else REFUSED


def _on_handheld(port: str, folder: Path, call: str, tell: Callable[[str], None] = print) -> str:
    """Run `call` on the handheld, which sees `folder` as ``/remote``; what it says. Raises CableTrouble."""
    said = _mpremote(port, "mount", str(folder), "exec", f"import yima; {call}")
    lines = [line for line in said.splitlines() if line.startswith("cable: ")]
    for line in lines:
        tell(line)
    return "\n".join(lines)


def _restart(port: str) -> None:
    """Have the handheld go on with its work."""
    _mpremote(port, "reset")


def _mpremote(port: str, *words: str) -> str:
    """What mpremote prints. Raises CableTrouble."""
    argv = [sys.executable, "-m", "mpremote", "connect", port, *words]
    try:
        result = subprocess.run(argv, capture_output=True, text=True, timeout=CABLE_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as e:
        raise CableTrouble(f"{port}: no answer for {CABLE_LIMIT_S} s") from e
    if result.returncode:
        said = (result.stderr or result.stdout).strip().splitlines()
        raise CableTrouble(f"{port}: {said[-1] if said else 'mpremote failed'}")
    return result.stdout
