"""The bench: its yardsticks are right, its table tells the truth, its page knows every name."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from batch import has_native_code
from conftest import ROOT, need
from cryptography.hazmat.primitives.asymmetric import ec

from firmware.core.certlogic import encode_logic
from firmware.core.rules import Rule, encode_rule
from host_tools.authority.default_rules import default_records
from host_tools.bench import counts, inputs, model, peers, programs, server_trace, textbook, ui
from host_tools.bench.figures import TARGETS, Target, figure, left_out, table
from host_tools.bench.rounds import minima


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench")
    inputs.write_inputs(path)
    return path


@pytest.mark.parametrize("verify", [textbook.verify, None], ids=["textbook", "peers"])
def test_yardsticks_tell_good_from_bad(verify: object) -> None:
    digest, signature = inputs.make_signatures()[0]
    bad = bytes([signature[0] ^ 1]) + signature[1:]
    if verify:
        assert textbook.verify(inputs.PUBLIC, digest, signature)
        assert not textbook.verify(inputs.PUBLIC, digest, bad)
        assert not textbook.verify(inputs.PUBLIC, digest, bytes(64))
        return
    for peer in (peers.by_ecdsa(False), peers.by_ecdsa(True), peers.by_cryptography()):
        peer(digest, signature)
        with pytest.raises(Exception):  # noqa: B017  (each library has its own)
            peer(digest, bad)


def copied(folder: Path, to: Path, name: str, at: slice) -> str:
    """The inputs in another folder, with the lowest bit of some bytes of one file changed."""
    for file in folder.iterdir():
        data = bytearray(file.read_bytes())
        if file.name == name:
            data[at] = bytes(byte ^ 1 for byte in data[at])
        (to / file.name).write_bytes(data)
    return str(to)


@pytest.mark.parametrize("way", ["native-4", "native-1-8", "portable-4", "portable-1", "cold", "textbook"])
def test_every_way_verifies(way: str, folder: Path, tmp_path: Path) -> None:
    if "native" in way:
        need(has_native_code(), 1, "no native code emitter in this MicroPython")
    micros, allocated = programs.run_mpy("verify_mpy.py", str(folder), way, "time", "1")
    assert micros > 0 and allocated > 0
    spoiled = copied(folder, tmp_path, "vectors", slice(70, 71))
    with pytest.raises(subprocess.CalledProcessError):
        programs.run_mpy("verify_mpy.py", spoiled, way, "count", "1")


@pytest.mark.parametrize("v", [1, 4])
def test_the_boards_machine_code_verifies(v: int, folder: Path) -> None:
    """board.py raises where the interpreted xtensawin code refuses a good signature."""
    kernel = model.kernel_counts(folder, v)
    assert {"run", "invert", "gather", "scatter", "columns"} <= kernel.keys()
    assert 2e6 < kernel["run"] < 5e6 and kernel["divisions"] > 100
    assert 0 < kernel["verify_slice"] < kernel["run"] and kernel["install_slice"] > 0


def test_the_boards_machine_code_refuses(folder: Path, tmp_path: Path) -> None:
    copied(folder, tmp_path, "native.1", slice(1, None, 64))
    with pytest.raises(subprocess.CalledProcessError):
        model.kernel_counts(tmp_path, 1)


def test_counts_can_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(counts, "LIBRARIES", tmp_path)
    assert not counts.has_callgrind()
    assert programs.compile_peer(tmp_path) is None


def test_minima_are_interleaved() -> None:
    turns: list[str] = []

    def job(name: str, answers: list[float]) -> float:
        turns.append(name)
        return answers.pop(0)

    one, two = [3.0, 1.0, 2.0], [5.0, 6.0, 4.0]
    found = minima({"one": lambda: job("one", one), "two": lambda: job("two", two)}, 3)
    assert found == {"one": 1.0, "two": 4.0} and turns == ["one", "two"] * 3


def test_targets() -> None:
    most, least = Target(10, 5), Target(10, 20, at_least=True)
    assert [most.reached(value) for value in (5, 5.1, 10, 10.1)] == ["goal", "must", "must", "MISSED"]
    assert [least.reached(value) for value in (20, 19, 10, 9.9)] == ["goal", "must", "must", "MISSED"]
    figures = {
        "scan_alloc_bytes": figure(7000, "B", ""),
        "other": figure(1.5, "ms", ""),
        **left_out(("verify_wasm_fuel",), "no wasm: install it"),
    }
    shown = table(figures)
    assert re.search(r"scan_alloc_bytes +7,000 +B +≤ 12,000 +≤ 6,000 +must", shown)
    assert re.search(r"verify_wasm_fuel +left out +≤ 32,000,000 +≤ 24,000,000$", shown, re.MULTILINE)
    assert "verify_wasm_fuel: left out: no wasm: install it" in shown


def test_the_page_has_every_target() -> None:
    page = (ROOT / "docs" / "bench.md").read_text("utf-8")
    for name, target in TARGETS.items():
        sign = "≥" if target.at_least else "≤"
        row = re.search(
            rf"^\| `{name}` \| {sign} ([\d.,]+)( M)? \| {sign} ([\d.,]+)( M)? \|", page, re.MULTILINE
        )
        assert row, name
        for number, million, limit in ((row[1], row[2], target.must), (row[3], row[4], target.goal)):
            assert float(number.replace(",", "")) * (1e6 if million else 1) == limit, name


def test_the_page_has_every_other_name() -> None:
    page = (ROOT / "docs" / "bench.md").read_text("utf-8")
    sources = "".join(
        (ROOT / "host_tools" / "bench" / f"{name}.py").read_text("utf-8")
        for name in (
            "__main__",
            "times",
            "model",
            "heap",
            "journal",
            "journal_drain",
            "simulator",
            "ui",
            "bus",
        )
    )
    names = set(
        re.findall(
            r'(?<!\[)"((?:[a-z0-9]+_)+(?:us|ms|s|per_s|ms_model|bytes|issuer|32bit|fuel|reads|instructions|vs_\w+'
            r'|record|points|lost|percent|minute))"',
            sources,
        )
    )
    assert len(names) > 30 and TARGETS.keys() <= names
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


def test_the_page_has_every_figure_of_the_screens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui, "_ours", lambda folder, name: 2.0)
    monkeypatch.setattr(ui, "_blinka", lambda folder, name: 6.0)
    monkeypatch.setattr(ui, "ORACLE", ROOT)
    monkeypatch.setattr(
        ui, "scan_to_verdict", lambda folder, scan_ms, spi_bytes: {"scan": scan_ms, "bus": 31.0}
    )
    figures = ui.bench_ui(60.0)
    page = (ROOT / "docs" / "bench.md").read_text("utf-8")
    assert len(figures) == 12 and [name for name in figures if f"`{name}`" not in page] == []
    assert (
        figures["scan_to_verdict_ms_model"]["value"] == 91 and figures["blinka_vs_redraw_full"]["value"] == 3
    )
    monkeypatch.setattr(ui, "ORACLE", ROOT / "nowhere")
    figures = ui.bench_ui(None)
    assert figures["scan_to_verdict_ms_model"]["value"] is figures["blinka_vs_redraw_full"]["value"] is None


def test_rules_and_records_of_the_model_are_real(tmp_path: Path) -> None:
    """The bench counts a good code that no rule speaks against, and records that reach the flash."""
    rules = tmp_path / "rules"
    rules.write_text("".join(f"{record.hex()}\n" for record in default_records()), "utf-8")
    assert programs.run_mpy("ui_rules_mpy.py", str(rules), "2") == []
    command = programs.mpy_command("ui_record_mpy.py", "4", heap="8M")
    printed = subprocess.run(
        command, env=programs.mpy_environment(), capture_output=True, text=True, check=True
    )
    writes, size = map(float, printed.stdout.split())
    assert 1 <= writes <= 4 and 100 < size < 400
    # A rule that forbids everybody is noticed.
    always = Rule("r", 2001, encode_logic({"===": [1, 1]}))
    rules.write_text(encode_rule(always).hex() + "\n", "utf-8")
    with pytest.raises(subprocess.CalledProcessError):
        programs.run_mpy("ui_rules_mpy.py", str(rules), "1")


def test_the_server_bench_asks_what_it_fills(postgres) -> None:
    """Small: every figure is there, and contacts are found."""
    figures = server_trace.bench_trace(postgres, 14_000)
    assert set(figures) == set(server_trace.NAMES) and figures["trace_records"]["value"] == 14_000
    found = re.search(r"(\d+) contacts on average", str(figures["trace_contacts_p99_ms"]["note"]))
    assert found and int(found.group(1)) > 0


def test_a_queue_is_put_into_a_journal_and_continued(tmp_path: Path) -> None:
    image = tmp_path / "journal.img"
    image.write_bytes(b"\xff" * 4096 * 8)
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    key = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    arguments = (str(image), "y-0000", key.hex(), b"benchkey".hex())
    assert programs.run_mpy("journal_fill_mpy.py", *arguments, "30") == [30]
    assert programs.run_mpy("journal_fill_mpy.py", *arguments, "5") == [35]
    data = image.read_bytes()
    assert data.count(b"benchkey") >= 2 and "龙岩市图书馆".encode() not in data
