"""The command line: what is wrong is one clear line and a status."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.core import message
from host_tools import cli
from host_tools.server.serve import open_store
from host_tools.state import State

ROOT = Path(__file__).resolve().parents[2]


def yima(capsys, *arguments: object) -> tuple[int, str, str]:
    status = cli.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    # The first command in a new folder says where the keys' passphrase lies.
    lines = [line for line in said.err.splitlines(keepends=True) if "a passphrase made for you" not in line]
    return status, said.out, "".join(lines)


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / "yima")


@pytest.mark.parametrize("content", [b"", b"not a certificate", b"-----BEGIN CERTIFICATE-----\nAAAA"])
def test_a_bad_certificate_file(capsys, state, tmp_path, content):
    bad = tmp_path / "bad.pem"
    bad.write_bytes(content)
    status, out, err = yima(capsys, "trust", "add", bad, "--state", state.root)
    assert (status, out) == (2, "")
    assert err == f"yima: {bad}: not an X.509 certificate in PEM or DER\n"


def test_a_missing_certificate_file(capsys, state, tmp_path):
    status, _, err = yima(capsys, "trust", "add", tmp_path / "gone.pem", "--state", state.root)
    assert (status, err) == (2, f"yima: {tmp_path / 'gone.pem'}: No such file or directory\n")


def test_trust_add(capsys, state):
    assert yima(capsys, "authority", "people", "--state", state.root)[0] == 0
    certificate = state.authority / "foreign" / "issuer.pem"
    status, out, _ = yima(capsys, "trust", "add", certificate, "--state", state.root)
    assert status == 0 and "XX  ES256  added" in out and "version 1" in out
    _, out, _ = yima(capsys, "trust", "add", certificate, "--state", state.root)
    assert "known already" in out and "version 1" in out
    _, out, _ = yima(capsys, "pack", "show", "--state", state.root)
    assert "EU certificate" in out


def test_codes_on_the_command_line(capsys, state, tmp_path):
    picture = tmp_path / "code.png"
    status, out, _ = yima(capsys, "authority", "code", "teacher", "--out", picture, "--state", state.root)
    assert status == 0 and out.startswith("YM1:") and picture.read_bytes().startswith(b"\x89PNG")
    status, _, err = yima(capsys, "authority", "code", "nobody", "--state", state.root)
    assert status == 2 and "nobody is registered under this id" in err


def test_tokens(capsys, state, tmp_path):
    status, out, _ = yima(capsys, "server", "token", "--scene", "transit", "--state", state.root)
    token = bytes.fromhex(out)
    store = open_store(state)
    try:
        assert status == 0 and store.token_state(token, 0) == ("open", None)
    finally:
        store.close()
    given = tmp_path / "enrol.cbor"
    # A provisioning file pins the authority's root key: there must be one.
    status, _, err = yima(capsys, "server", "token", "--out", given, "--state", state.root)
    assert status == 2 and "root.pub" in err
    yima(capsys, "authority", "people", "--state", state.root)
    assert yima(capsys, "server", "token", "--out", given, "--state", state.root)[0] == 0
    parsed = message.parse_provisioning(given.read_bytes())
    assert parsed.root_key.hex() == state.root_public_key.read_text()
    assert stat.S_IMODE(given.stat().st_mode) == 0o600


def test_wrong_options(capsys, state):
    assert yima(capsys, "server", "token", "--scene", "moon", "--state", state.root)[0] == 2
    assert yima(capsys, "server", "revoke", "y-nobody", "--state", state.root)[0] == 2
    for arguments in (
        ["run", "--port-base", "70000"],
        ["server", "token", "--hours", "0"],
        ["authority", "serve", "--port", "0"],
        [],
        ["nothing"],
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert ended.value.code == 2
        assert "usage: yima" in capsys.readouterr().err


def test_a_broken_key_file(capsys, state):
    yima(capsys, "authority", "people", "--state", state.root)
    (state.authority / "root.key").write_text("x")
    status, _, err = yima(capsys, "pack", "show", "--state", state.root)
    assert status == 2 and "root.key: not a private key" in err and err.count("\n") == 1


def test_the_installed_command():
    said = subprocess.run(
        [Path(sys.executable).parent / "yima", "version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert said.stdout.startswith("yima 0.")


def test_a_server_command_with_a_database_of_its_own(tmp_path, postgres, fleet_template, monkeypatch):
    monkeypatch.setenv("YIMA_DATABASE_URL", "")
    url = postgres.create(fleet_template)
    assert cli.main(["server", "token", "--state", str(tmp_path), "--database", url]) == 0
    monkeypatch.setenv("YIMA_DATABASE_URL", url)
    store = open_store(State(tmp_path))
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM token").scalar() == 1
    store.close()
    assert not (tmp_path / "server" / "fleet.db").exists()
    assert cli.main(["server", "token", "--state", str(tmp_path), "--database", "mysql://x"]) == 2
