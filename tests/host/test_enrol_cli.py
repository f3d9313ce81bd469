"""`yima server token`, `roll` and `revoke`: what they print, draw and refuse."""

from __future__ import annotations

import hashlib
import io

import pytest
import zxingcpp
from PIL import Image
from test_cli import yima

from firmware.core import base45, message
from host_tools.authority.app import Authority
from host_tools.server.serve import open_pki, open_store
from host_tools.state import State

NOW = 1_590_130_000


@pytest.fixture
def state(tmp_path):
    made = State(tmp_path / "yima")
    _ = Authority(made).keys.root_public
    return made


@pytest.fixture
def store(state):
    opened = open_store(state)
    yield opened
    opened.close()


def enrolled(store):
    return store.enrol(store.create_token("Gate 7", "transit", NOW, 60), b"chip", "test", NOW)


def test_a_code_holds_what_the_file_holds(capsys, state, store, tmp_path):
    picture, file = tmp_path / "gate.png", tmp_path / "enrol.cbor"
    words = (
        "--qr",
        picture,
        "--out",
        file,
        "--code",
        "--url",
        "https://fleet.example",
        "--wifi",
        "air",
        "key",
    )
    status, out, err = yima(capsys, "server", "token", *words, "--state", state.root)
    assert (status, err) == (0, "")
    assert picture.stat().st_mode & 0o077 == file.stat().st_mode & 0o077 == 0
    read = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture.read_bytes())))
    assert [code.text for code in read] == [out.rstrip("\n")] and out.startswith("YE1:")
    by_code = message.parse_provisioning(base45.decode(out[4:-1]))
    by_file = message.parse_provisioning(file.read_bytes())
    assert by_code.token == by_file.token and by_code.root_key == by_file.root_key
    assert (by_code.server_url, by_code.wifi_ssid, by_code.wifi_key) == (
        "https://fleet.example",
        "air",
        "key",
    )
    assert by_file.ca_der == open_pki(state).ca_der
    assert by_code.ca_der == hashlib.sha256(by_file.ca_der).digest()
    assert len(store.enrol(by_code.token, b"chip", "test", NOW).id) > 2


def test_a_token_for_a_handheld_stands_where_that_stood(capsys, state, store):
    device = enrolled(store)
    status, out, _ = yima(capsys, "server", "token", "--device", device.id, "--state", state.root)
    assert status == 0
    spare = store.enrol(bytes.fromhex(out), b"spare", "test", NOW)
    assert (spare.place, spare.scene) == ("Gate 7", "transit")
    assert store.device(device.id).replaced_by == spare.id


def test_roll_and_revoke(capsys, state, store):
    device = enrolled(store)
    assert yima(capsys, "server", "roll", device.id, "--state", state.root) == (0, "", "")
    assert store.device(device.id).roll is not None
    assert yima(capsys, "server", "revoke", device.id, "--state", state.root) == (0, "", "")
    for words in (("roll", device.id), ("roll", "y-none"), ("revoke", device.id)):
        status, _, err = yima(capsys, "server", *words, "--state", state.root)
        assert status == 2 and err.startswith(f"yima: {words[1]}: no such handheld")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--qr", "gate.gif"), "gate.gif: a picture ends with .png or .svg"),
        (("--device", "y-none"), "y-none: no such handheld"),
        (("--scene", "moon"), "no scene moon; there are"),
        (("--place", "站" * 22), "a place's name has at most 64 bytes"),
        (("--code", "--url", "http://fleet.example"), "server is not https"),
    ],
)
def test_what_cannot_be(capsys, state, words, why):
    status, out, err = yima(capsys, "server", "token", *words, "--state", state.root)
    assert (status, out) == (2, "") and err.startswith(f"yima: {why}")


def test_a_cable_that_is_not_there(capsys, state, tmp_path):
    status, _, err = yima(capsys, "export", "--port", tmp_path / "tty", "--import", "--state", state.root)
    assert status == 1 and str(tmp_path / "tty") in err
    assert yima(capsys, "export", "--port", "x", "--state", state.root)[0] == 2
