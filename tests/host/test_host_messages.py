"""What the authority and the fleet server really send, against the CDDL of docs/formats.md."""

from __future__ import annotations

import base45
import cbor2
import pytest
from fleetkit import NOW, AppClient, PaperHandheld
from test_formats import valid, valid_cose

from firmware.core import message
from firmware.core.trust import encode_issuer_key
from host_tools.authority.app import Authority
from host_tools.server import devices
from host_tools.server.packs import Packs, Received
from host_tools.state import State


@pytest.fixture
def authority(tmp_path):
    return Authority(State(tmp_path), lambda: NOW)


@pytest.fixture
def server(store):
    return AppClient(devices.make_app(store, devices.Bell(), clock=lambda: NOW))


def test_codes_of_the_town(authority):
    seen = 0
    for person in authority.town.people:
        for medium in ("live", "paper"):
            text = authority.show(person, medium).text
            if text.startswith("YM1:"):
                data = base45.b45decode(text[4:])
                assert valid_cose("code", "code", "code-header", "claims", data), person.id
                seen += 1
    assert seen > 25


def test_packs(authority):
    for _ in range(2):
        issued = authority.packs.current(NOW)
        assert valid_cose("pack", "manifest", "manifest-header", "pack", issued.data)
        for key in authority.packs.issuer_keys(NOW):
            assert valid("pack", "issuer-key", encode_issuer_key(key))
        authority.certificates.add(authority.foreign.certificate_file)
    assert issued.version == 2


def test_enrolment(store, server):
    token = store.create_token("龙岩市图书馆", "transit", NOW, 60)
    request = message.encode_enrol_request(token, b"\x24\x6f", "0.1.0")
    assert valid("enrol", "enrol-reply", server.post("/v1/enrol", content=request).content)


def test_sync(store, server, authority):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(3)
    assert all(valid("record", "record", raw) for raw in handheld.records)
    for request, refused in (
        (handheld.request(), False),
        (handheld.request(4), False),
        (handheld.request(2, records=[]), True),
    ):
        assert valid_cose("sync", "sync-request", "sync-header", "sync-payload", request)
        reply = server.post("/v1/sync", content=request).content
        assert valid("sync", "sync-reply", reply)
        assert (5 in cbor2.loads(reply)) is refused
    issued = authority.packs.current(NOW)
    digests = [digest for _, _, digest in issued.manifest.parts()]
    parts = {digest: authority.packs.part(digest) for digest in digests}
    packs = Packs(store)
    packs.pin(authority.keys.root_public)
    received = Received(1, issued.data, authority.keys.root_public, NOW + 60, parts)
    assert packs.keep(received, digests, NOW)
    reply = server.post("/v1/sync", content=handheld.request(4)).content
    assert valid("sync", "sync-reply", reply)
    assert valid_cose("pack", "manifest", "manifest-header", "pack", cbor2.loads(reply)[4])
    assert [row.raw for row in store.records_after(0, 9)] == handheld.records
