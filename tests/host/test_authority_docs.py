"""docs/authority.md: every command in it runs as it stands there, one after the other, on one folder."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys

import httpx
import pytest
from conftest import ROOT
from officekit import ID_NUMBER
from served import serving

from host_tools import cli
from host_tools.authority.app import Authority, make_app
from host_tools.state import State

DOCUMENT = (ROOT / "docs" / "authority.md").read_text("utf-8")
BLOCKS = re.findall(r"```\n(.*?)```", DOCUMENT, re.DOTALL)


def commands() -> list[str]:
    lines = [line for block in BLOCKS for line in block.splitlines()]
    found = [line for line in lines if line.startswith(("yima ", "echo "))]
    # The town is what the other examples are about.
    return sorted(found, key=lambda line: "forget-town" in line)


def test_every_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YIMA_AUTHORITY_PASSPHRASE", "for tests")
    known: dict[str, str] = {}
    authority = Authority(State(tmp_path / ".yima"))
    time = authority.now_unix()
    (tmp_path / "results.csv").write_text(
        f"sample,id_number,type,result,taken\nA1,35080219800101001X,nucleic,negative,{time - 60}\n"
    )
    ran = 0
    for line in commands():
        if line == "yima authority serve":
            continue
        for name, value in known.items():
            line = re.sub(rf"\b{name}\b", value, line)
        if "grant " in line:
            # What the reader does in between: the laboratory reports.
            assert cli.main(["authority", "result", known["PERSON"], "nucleic", "negative"]) == 0
            capsys.readouterr()
        if "paper-revoke" in line:
            line = line.replace("NUMBER", authority.papers.of("teacher")[0].cti.hex())
        given, _, command = line.rpartition(" | ")
        monkeypatch.setattr("sys.stdin", io.StringIO(given.removeprefix("echo ") + "\n"))
        arguments = shlex.split(command)
        assert arguments[0] == "yima"
        status = cli.main([argument for argument in arguments[1:] if argument != "\\"])
        said = capsys.readouterr()
        assert status == 0, (line, said.err)
        ran += 1
        if arguments[2] == "add":
            known["PERSON"] = said.out.strip()
        elif arguments[3:4] == ["add"] and arguments[2] in ("lab", "unit"):
            known[arguments[2].upper()] = said.out.split()[0]
    assert ran > 30
    assert authority.town.people == () and authority.people.search()[1] == 2
    assert {path.name for path in tmp_path.glob("*.pdf")} == set(re.findall(r"\S+\.pdf", DOCUMENT))


def test_the_requests(tmp_path, monkeypatch):
    """The two curl calls, with the address of a real server, and the answers that the page promises."""
    monkeypatch.setenv("YIMA_AUTHORITY_PASSPHRASE", "for tests")
    authority = Authority(State(tmp_path), lambda: 1_795_430_000)
    lab, lab_secret = authority.parties.add("lab", "x", "test", 0)
    unit, unit_secret = authority.parties.add("unit", "x", "test", 0)
    calls = [block for block in BLOCKS if "curl" in block]
    assert len(calls) == 2
    with serving(lambda port: make_app(authority)) as (url,):
        for block in calls:
            call = block[block.index("curl") :].replace("\\\n", " ")
            values = {"LAB": lab, "UNIT": unit, "CREDENTIAL": unit_secret if "units" in call else lab_secret}
            for name, value in values.items():
                call = call.replace(f"${name}", value)
            words = shlex.split(call.replace("http://127.0.0.1:8701", url))
            header = words[words.index("-H") + 1].split(": ", 1)
            body = words[words.index("-d") + 1]
            address = next(word for word in words if word.startswith(url))
            answer = httpx.post(address, content=body, headers=[tuple(header)], trust_env=False)
            if "labs" in address:
                assert answer.json() == json.loads(re.search(r'\{"taken": 1.*?\}', DOCUMENT)[0])
            else:
                assert answer.status_code == 404
    assert authority.people.of_id_number(ID_NUMBER) is None


@pytest.mark.parametrize("command", ["add", "results", "print", "place"])
def test_help_is_there(command):
    said = subprocess.run(
        [sys.executable, "-m", "host_tools.cli", "authority", command, "--help"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert "usage: yima authority" in said.stdout
