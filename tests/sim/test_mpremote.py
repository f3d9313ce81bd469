"""The simulated handheld's serial port, used by mpremote as it is installed, and by a bare terminal."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import os
import select
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from boards import make_image

ROOT = Path(__file__).resolve().parents[2]
MPREMOTE = Path(sys.executable).with_name("mpremote")
MAIN = """
import asyncio, machine, time
print("MAIN", machine.reset_cause())
async def beat():
    n = 0
    while True:
        await asyncio.sleep_ms(50)
        n += 1
        if n == 3:
            print("BEATING")
asyncio.run(beat())
"""
LIMIT_S = 40


class Port:
    """A simulator with a serial port, in a process of its own."""

    def __init__(self, profile: Path) -> None:
        self.profile = profile
        command = [sys.executable, "-m", "simulator", "--profile", str(profile), "--port", "0", "--serial"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.path = ""
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith("serial port: "):
                self.path = line.split()[-1]
                break
        assert self.path.startswith("/dev/")

    def remote(self, *words: str, expect: int = 0, cwd: Path | None = None) -> str:
        """What mpremote prints."""
        result = subprocess.run(
            [MPREMOTE, "connect", self.path, *words],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            cwd=cwd,
        )
        assert result.returncode == expect, result.stdout + result.stderr
        return result.stdout if expect == 0 else result.stdout + result.stderr


class Terminal:
    """A client that reads and writes bytes, as a person's terminal program does."""

    def __init__(self, path: str) -> None:
        self.file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.file)
        self.seen = b""

    def type(self, keys: bytes) -> None:
        os.write(self.file, keys)

    def until(self, ending: bytes) -> bytes:
        """All that came up to and with `ending`."""
        ends = time.monotonic() + LIMIT_S
        while ending not in self.seen:
            assert select.select([self.file], [], [], max(0.0, ends - time.monotonic()))[0], self.seen
            with contextlib.suppress(BlockingIOError):  # a terminal that is said to be ready may have nothing
                self.seen += os.read(self.file, 4096)
        got, _, self.seen = self.seen.partition(ending)
        return got + ending

    def close(self) -> None:
        os.close(self.file)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Port]:
    files = {"/boot.py": "print('BOOT')\n", "/main.py": MAIN}
    started = Port(make_image(tmp_path_factory.mktemp("serial"), files))
    yield started
    started.process.terminate()
    started.process.wait(10)


@pytest.fixture
def terminal(port: Port) -> Iterator[Terminal]:
    opened = Terminal(port.path)
    yield opened
    opened.close()


def test_exec_and_eval_and_errors(port: Port) -> None:
    assert port.remote("exec", "print(6 * 7)") == "42\n"
    assert port.remote("eval", "'一码'.encode()") == "b'\\xe4\\xb8\\x80\\xe7\\xa0\\x81'\n"
    said = port.remote("exec", "import sys; print(sys.path); 1 / 0", expect=1)
    assert "ZeroDivisionError" in said and "['', '.frozen', '/lib', '/rom', '/rom/lib']" in said


def test_run_a_script_of_the_computer(port: Port, tmp_path: Path) -> None:
    script = tmp_path / "hello.py"
    script.write_text("import machine\nfor i in range(3):\n    print('line', i, len(machine.unique_id()))\n")
    assert port.remote("run", str(script)) == "line 0 6\nline 1 6\nline 2 6\n"


def test_files_go_there_and_back_and_are_the_same(port: Port, tmp_path: Path) -> None:
    there, back = tmp_path / "there.bin", tmp_path / "back.bin"
    there.write_bytes(os.urandom(30_000) + bytes(range(256)))
    assert "cp" in port.remote("fs", "cp", str(there), ":there.bin")
    port.remote("cp", ":there.bin", str(back))
    assert back.read_bytes() == there.read_bytes()
    assert hashlib.sha256(there.read_bytes()).hexdigest() in port.remote("fs", "sha256sum", ":there.bin")
    port.remote("fs", "mkdir", ":folder", "+", "fs", "cp", ":there.bin", ":folder/copy.bin")
    assert "copy.bin" in port.remote("fs", "ls", ":folder") and "30256" in port.remote("ls")
    assert port.remote("cat", ":boot.py") == "print('BOOT')\n"
    port.remote("rm", ":there.bin", "+", "rm", "-r", ":folder")
    assert "there.bin" not in port.remote("ls")
    assert "No such file" in port.remote("rm", ":there.bin", expect=1)


def test_df_shows_the_flash(port: Port) -> None:
    rows = [line.split() for line in port.remote("df").splitlines()]
    print(rows)
    assert any(row[-1] == "/" and row[1] == str(128 * 4096) for row in rows)


def test_mount_a_folder_of_the_computer(port: Port, tmp_path: Path) -> None:
    # Bytes that mean something to a prompt go through untouched: Ctrl-C, Ctrl-D, CR LF, LF.
    (tmp_path / "data.bin").write_bytes(b"\x03\x04>\r\n\n\x01\x02" + bytes(range(256)) * 9)
    (tmp_path / "mod.py").write_text("NAME = 'from the computer'\n")
    code = (
        "import mod, hashlib, binascii; print(mod.NAME);"
        "f = open('data.bin', 'rb'); d = f.read(); f.close();"
        "print(len(d), binascii.hexlify(hashlib.sha256(d).digest()).decode());"
        "g = open('back.bin', 'wb'); g.write(d); g.close()"
    )
    said = port.remote("mount", str(tmp_path), "exec", code)
    data = (tmp_path / "data.bin").read_bytes()
    assert "from the computer" in said and f"{len(data)} {hashlib.sha256(data).hexdigest()}" in said
    assert (tmp_path / "back.bin").read_bytes() == data


SHELF = {
    "/pkg/package.json": b'{"urls": [["shelf/__init__.py", "code/init.py"]], "version": "1"}',
    "/pkg/code/init.py": b"WORD = 'installed'\n",
}


class Shelf(http.server.BaseHTTPRequestHandler):
    """A web server with one package."""

    def do_GET(self) -> None:
        body = SHELF.get(self.path)
        self.send_response(200 if body else 404)
        self.send_header("content-length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *args: object) -> None:
        pass


def test_mip_install_from_a_file_and_from_a_server(port: Port, tmp_path: Path) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shelf)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/pkg/package.json"
        assert "Done" in port.remote("mip", "install", url)
    finally:
        server.shutdown()
    assert port.remote("exec", "import shelf; print(shelf.WORD, shelf.__file__)").startswith(
        "installed /lib/"
    )
    (tmp_path / "near.py").write_text("WORD = 'near'\n")
    (tmp_path / "package.json").write_text('{"urls": [["near.py", "near.py"]], "version": "1"}')
    assert "Done" in port.remote("mip", "install", "./package.json", cwd=tmp_path)
    assert port.remote("exec", "import near; print(near.WORD)") == "near\n"


def test_rtc_is_read_and_set(port: Port) -> None:
    port.remote("rtc", "--set")
    said = port.remote("rtc")
    assert f"({time.localtime().tm_year}, {time.localtime().tm_mon}, {time.localtime().tm_mday}," in said


def test_resume_keeps_what_was_there(port: Port) -> None:
    port.remote("exec", "kept = 7")
    assert port.remote("resume", "exec", "print(kept)") == "7\n"
    assert "NameError" in port.remote("exec", "print(kept)", expect=1)


def test_reset_starts_main_py_and_ctrl_c_ends_it(port: Port, terminal: Terminal) -> None:
    port.remote("reset")
    terminal.until(b"MAIN 2\r\n")
    terminal.until(b"BEATING\r\n")
    terminal.type(b"\x03")
    assert b"KeyboardInterrupt" in terminal.until(b">>> ")
    terminal.type(b"1 + 1\r")
    assert terminal.until(b">>> ").endswith(b"2\r\n>>> ")
    terminal.type(b"\x04")
    said = terminal.until(b"BEATING\r\n")
    assert b"soft reboot\r\nBOOT\r\n" in said and b"MAIN 5\r\n" in said
    assert b"\n" not in said.replace(b"\r\n", b""), "a board ends its lines with CR LF"


def test_soft_reset_by_mpremote_runs_boot_but_not_main(port: Port, terminal: Terminal) -> None:
    terminal.type(b"\r\x03\r\x01")
    terminal.until(b"raw REPL; CTRL-B to exit\r\n>")
    terminal.type(b"\x04")
    said = terminal.until(b"raw REPL; CTRL-B to exit\r\n>")
    assert b"soft reboot\r\nBOOT\r\n" in said and b"MAIN" not in said
    terminal.type(b"\x02")
    terminal.until(b">>> ")
    port.remote("soft-reset")


@pytest.mark.parametrize(
    "code",
    ["while True:\n    pass", "import time\ntime.sleep(1000)", "import machine\nmachine.Pin(4)\ninput()"],
)
def test_ctrl_c_ends_what_raw_mode_runs(port: Port, terminal: Terminal, code: str) -> None:
    terminal.type(b"\r\x03\r\x01")
    terminal.until(b"raw REPL; CTRL-B to exit\r\n>")
    terminal.type(code.encode() + b"\x04")
    terminal.until(b"OK")
    terminal.type(b"\x03")
    assert b"KeyboardInterrupt" in terminal.until(b"\x04>")
    terminal.type(b"print(5)\x04")
    assert terminal.until(b"\x04>") == b"OK5\n\x04\x04>"
    terminal.type(b"\x02")
    terminal.until(b">>> ")


def test_an_interrupt_that_came_too_late_hits_nothing(port: Port, terminal: Terminal) -> None:
    terminal.type(b"\r\x03\r\x01")
    terminal.until(b"raw REPL; CTRL-B to exit\r\n>")
    busy = b"import time\nt = time.ticks_ms()\nwhile time.ticks_diff(time.ticks_ms(), t) < 150:\n    pass\n"
    for _ in range(3):
        terminal.type(busy + b"print(1)\x04")
        terminal.until(b"OK")
        terminal.type(b"\x03")  # it looks at no events, and is done before a signal is sent
        assert terminal.until(b"\x04>") == b"1\n\x04\x04>"
        terminal.type(b"time.sleep_ms(1)\nprint(2)\x04")
        assert terminal.until(b"\x04>") == b"OK2\n\x04\x04>"
    terminal.type(b"\x02")
    terminal.until(b">>> ")


def test_repl_of_mpremote_with_a_mounted_folder(port: Port, tmp_path: Path) -> None:
    master, slave = os.openpty()
    process = subprocess.Popen(
        [MPREMOTE, "connect", port.path, "mount", str(tmp_path), "repl"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    seen = b""

    def until(ending: bytes) -> None:
        nonlocal seen
        ends = time.monotonic() + LIMIT_S
        while ending not in seen:
            assert select.select([master], [], [], max(0.0, ends - time.monotonic()))[0], seen
            seen += os.read(master, 1024)
        seen = seen.partition(ending)[2]

    until(b"Use Ctrl-]")
    os.write(master, b"\x03\r\n")
    until(b">>> ")
    os.write(master, b"print('a' + 'b')\r")
    until(b"\nab")
    os.write(master, b"f = open('all.bin', 'wb'); f.write(bytes(range(256)) * 3); f.close()\r")
    until(b"\n768")
    until(b"\n>>> ")
    os.write(master, b"print('wri' + 'tten')\r")
    until(b"\nwritten")
    assert (tmp_path / "all.bin").read_bytes() == bytes(range(256)) * 3, "bytes are not line ends here"
    os.write(master, b"\x1d")
    assert process.wait(LIMIT_S) == 0
    os.close(master)


def test_what_nobody_reads_does_not_hold_the_firmware_up(tmp_path: Path) -> None:
    chatter = "import os\nfor i in range(3000):\n    print('line', i)\nopen('/done', 'w').close()\n"
    started = Port(make_image(tmp_path, {"/main.py": chatter}))
    try:
        opened = Terminal(started.path)
        assert b"line 2999" in opened.until(b"line 2999")
        opened.type(b"\r\x03print(1 + 2)\r")
        opened.until(b"3\r\n")
        opened.close()
    finally:
        started.process.terminate()
        started.process.wait(10)
