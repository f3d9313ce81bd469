"""From the door to the server's table: sealed on MicroPython, sent by sync, followed, opened, decoded."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from batch import has_native_code
from conftest import ROOT, micropython, need
from cryptography.hazmat.primitives.asymmetric import ec

from firmware.core import message, record
from host_tools.server import opener

KID = b"sealkey1"
DEVICE = "device-0001"


@pytest.mark.parametrize("engine", ["native", "portable"])
def test_a_day_arrives(engine: str) -> None:
    if engine == "native":
        need(has_native_code(), 1, "no native code emitter in this MicroPython")
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    public = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    result = subprocess.run(
        [
            micropython(),
            "-X",
            "heapsize=800k",
            str(Path(__file__).with_name("sealed_day.py")),
            public.hex(),
            KID.hex(),
            engine,
        ],
        env={**os.environ, "MICROPYPATH": f"{ROOT}:{ROOT}/tests/mpy:.frozen"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    lines = [line.split(" ") for line in result.stdout.splitlines()]
    written = [bytes.fromhex(data) for kind, data in lines if kind == "record"]
    stored: list[bytes] = []
    chains, heads = [record.GENESIS], [b""]
    segments: dict[bytes, opener.Segment] = {}
    again = 0
    for data in (bytes.fromhex(data) for kind, data in lines if kind == "request"):
        device, request = message.parse_sync_request(data)
        assert device == DEVICE and request.verify_mac(bytes(range(32)))
        held = request.first_seq - 1
        assert request.chain_before == chains[held], "a fork"
        for place in opener.follow(
            request.records, request.first_seq, request.chain_before, DEVICE, heads[held]
        ):
            if place.sequence <= len(stored):
                again += 1
                assert chains[place.sequence] == place.chain_after
                continue
            if place.head.data not in segments:
                assert place.head.kid == KID
                segments[place.head.data] = opener.Segment(private, place.head)
            plain = segments[place.head.data].open(place.sealed, place.chain_before)
            assert record.decode(plain)[record.SEQ] == place.sequence == len(stored) + 1
            stored.append(plain)
            chains.append(place.chain_after)
            heads.append(place.head.data)
    assert stored == written[: len(stored)] and len(stored) > 100 and again > 5
    # one for each start of the handheld
    assert len(segments) == 8
