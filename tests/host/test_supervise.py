"""One command, its children, and no orphans."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ports import free_base, free_port

from host_tools import run, supervise
from host_tools.state import State
from host_tools.supervise import ChildTrouble, Program, Supervisor

pytestmark = pytest.mark.real_time

ROOT = Path(__file__).resolve().parents[2]
#: Answers 200 on the port ARGV[1], has a child of its own, writes both process ids to ARGV[2].
SERVER = """
import http.server, os, subprocess, sys
child = subprocess.Popen(["sleep", "600"])
with open(sys.argv[2], "a") as file:
    file.write(f"{os.getpid()} {child.pid}\\n")
class Ok(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Ok).serve_forever()
"""
#: A command that supervises SERVER until it is killed.
COMMAND = """
import asyncio, sys
from pathlib import Path
from host_tools.supervise import Program, Supervisor
async def main():
    supervisor = Supervisor(Path(sys.argv[1]), print)
    url = f"http://127.0.0.1:{sys.argv[3]}/"
    await supervisor.start(Program("web", (sys.executable, "-c", sys.argv[2], sys.argv[3], sys.argv[4]), url))
    print("up", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, what: str, limit_s: float = 15.0) -> None:
    ends = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.05)


def pids(path: Path) -> list[int]:
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def web(port: int, path: Path) -> Program:
    argv = (sys.executable, "-c", SERVER, str(port), str(path))
    return Program("web", argv, f"http://127.0.0.1:{port}/")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(supervise, "RESTART_PAUSES_S", (0.05,))


def test_stop_ends_children_and_their_children(tmp_path):
    async def play() -> None:
        supervisor = Supervisor(tmp_path, print)
        await supervisor.start(web(free_port(), tmp_path / "pids"))
        assert supervisor.pid("web") in pids(tmp_path / "pids") and supervisor.pid("other") is None
        await supervisor.stop()
        await supervisor.stop()

    asyncio.run(play())
    assert len(pids(tmp_path / "pids")) == 2
    for pid in pids(tmp_path / "pids"):
        wait_until(lambda pid=pid: not alive(pid), "an orphan is left")


def test_a_child_that_dies_is_restarted_until_the_ceiling(tmp_path):
    said: list[str] = []

    async def play() -> str:
        supervisor = Supervisor(tmp_path, said.append)
        try:
            await supervisor.start(web(free_port(), tmp_path / "pids"))
            for count in range(1, supervise.RESTART_CEILING + 2):
                while len(pids(tmp_path / "pids")) < 2 * count:
                    await asyncio.sleep(0.05)
                assert not supervisor.failure.done()
                os.kill(pids(tmp_path / "pids")[-2], signal.SIGKILL)
            return await asyncio.wait_for(supervisor.failure, 20)
        finally:
            await supervisor.stop()

    message = asyncio.run(play())
    assert message.startswith("web died 4 times, last with status -9")
    assert [line for line in said if line.startswith("web ended")] == [
        f"web ended with status -9; restart {number} of 3" for number in (1, 2, 3)
    ]
    for pid in pids(tmp_path / "pids"):
        wait_until(lambda pid=pid: not alive(pid), "an orphan is left")


def test_a_child_that_does_not_start(tmp_path):
    async def play(program: Program) -> None:
        supervisor = Supervisor(tmp_path, print)
        try:
            await supervisor.start(program)
        finally:
            await supervisor.stop()

    argv = (sys.executable, "-c", "print('why it failed', flush=True); raise SystemExit(3)")
    with pytest.raises(ChildTrouble, match=r"bad ended with status 3, see .*bad.log\n    why it failed"):
        asyncio.run(play(Program("bad", argv, f"http://127.0.0.1:{free_port()}/")))


def test_a_child_that_never_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(supervise, "HEALTH_TIMEOUT_S", 0.5)

    async def play() -> None:
        supervisor = Supervisor(tmp_path, print)
        try:
            await supervisor.start(Program("mute", ("sleep", "600"), f"http://127.0.0.1:{free_port()}/"))
        finally:
            await supervisor.stop()

    with pytest.raises(ChildTrouble, match="mute does not answer"):
        asyncio.run(play())


def test_a_child_that_ignores_the_request_to_end(tmp_path, monkeypatch):
    monkeypatch.setattr(supervise, "STOP_TIMEOUT_S", 0.3)
    script = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print(os.getpid(), flush=True); time.sleep(600)"
    )

    async def play() -> None:
        supervisor = Supervisor(tmp_path, print)
        await supervisor.start(Program("deaf", (sys.executable, "-c", script)))
        while not (tmp_path / "deaf.log").read_text().strip():
            await asyncio.sleep(0.05)
        await supervisor.stop()

    asyncio.run(play())
    pid = int((tmp_path / "deaf.log").read_text())
    wait_until(lambda: not alive(pid), "it lives on")


def test_no_orphans_when_the_command_is_killed(tmp_path):
    port, path = free_port(), tmp_path / "pids"
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(tmp_path), SERVER, str(port), str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert command.stdout.readline() == b"up\n"
    assert len(pids(path)) == 2 and all(alive(pid) for pid in pids(path))
    command.kill()
    command.wait(5)
    for pid in pids(path):
        wait_until(lambda pid=pid: not alive(pid), "an orphan is left")


def test_a_busy_port_is_named(tmp_path):
    base = free_base()
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", base + 3))
        busy.listen()
        with pytest.raises(run.RunTrouble, match=f"port {base + 3} is in use.*--port-base"):
            run.check_ports(base)
    run.check_ports(base)


def test_one_run_per_state_folder(tmp_path):
    state = State(tmp_path)

    async def play() -> None:
        first, second = run.System(state, 1024, print), run.System(state, 1024, print)
        first._lock = run.try_lock(state.run_lock)
        with pytest.raises(run.RunTrouble, match="in use by another"):
            await second.start()
        await second.stop()
        assert run.find_running(state) is None
        await first.stop()

    asyncio.run(play())


def test_what_is_withheld_from_a_child(tmp_path, monkeypatch):
    monkeypatch.setenv("YIMA_TEST_SECRET", "the passphrase")
    monkeypatch.setenv("YIMA_TEST_OPEN", "everybody's")
    program = (
        "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(repr(sorted(os.environ))); "
        "sys.stdout.flush(); import time; time.sleep(600)"
    )
    out = tmp_path / "environment"

    async def play() -> None:
        supervisor = Supervisor(tmp_path / "log", lambda line: None)
        argv = (sys.executable, "-c", program, str(out))
        try:
            await supervisor.start(Program("child", argv, None, None, ("YIMA_TEST_SECRET",)))
            while not out.exists() or not out.read_text().endswith("]"):
                await asyncio.sleep(0.02)
        finally:
            await supervisor.stop()

    asyncio.run(asyncio.wait_for(play(), 30))
    assert "YIMA_TEST_OPEN" in out.read_text() and "YIMA_TEST_SECRET" not in out.read_text()
