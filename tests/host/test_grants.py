"""Codes granted on a negative result, by units with a credential."""

from __future__ import annotations

import json

import httpx
import pytest
from fleetkit import NOW
from officekit import DAY_S, ID_NUMBER, Clock, id_number, open_authority, registration
from served import serving

from host_tools.authority.app import make_app
from host_tools.authority.fields import PeopleTrouble
from host_tools.authority.grants import GrantRefused


@pytest.fixture
def authority(tmp_path):
    made = open_authority(tmp_path, Clock())
    yield made
    made.people.close()


@pytest.fixture
def person(authority):
    arrived = registration(region="黑龙江", arrived_unix=NOW - DAY_S, withheld=True)
    return authority.people.add(arrived, "test", NOW)


def enter(authority, person, result, age_s):
    authority.intake.enter(person.id, 0, result, NOW - age_s, "test", NOW)


@pytest.mark.parametrize(
    ("entered", "detail"),
    [
        ([], "no nucleic acid result"),
        ([(0, 7 * DAY_S + 1)], "seven days"),
        ([(0, DAY_S), (1, 60)], "not negative"),
        ([(0, DAY_S), (2, 60)], "not negative"),
    ],
)
def test_refused_without_a_negative_result(authority, person, entered, detail):
    for result, age_s in entered:
        enter(authority, person, result, age_s)
    authority.intake.enter(person.id, 1, 0, NOW - 5, "test", NOW)
    with pytest.raises(GrantRefused, match=detail):
        authority.grants.give(person.id, None, "test", NOW)
    with pytest.raises(PeopleTrouble, match="no code yet"):
        authority.people.holder(person.id)


def test_a_grant_gives_the_code_once(authority, person):
    enter(authority, person, 0, 7 * DAY_S)
    authority.grants.give(person.id, None, "office", NOW)
    assert authority.people.holder(person.id).sub == person.sub
    assert authority.people.audit(person_id=person.id)[0].action == "grant"
    with pytest.raises(GrantRefused, match="already"):
        authority.grants.give(person.id, None, "office", NOW)
    # A new journey, a new grant.
    authority.people.set_arrival(person.id, "黑龙江", NOW, True, "office", NOW)
    with pytest.raises(PeopleTrouble):
        authority.people.holder(person.id)


def test_over_http(authority, person):
    unit, secret = authority.parties.add("unit", "西陂村委会", "test", NOW)
    lab, lab_secret = authority.parties.add("lab", "县疾控", "test", NOW)
    with serving(lambda port: make_app(authority)) as (url,), httpx.Client(trust_env=False) as client:

        def post(body, who=unit, credential=secret):
            headers = {"authorization": f"Bearer {credential}"}
            return client.post(f"{url}/api/units/{who}/grants", content=json.dumps(body), headers=headers)

        wallet = f"{url}/wallet/{person.wallet}"
        waiting = client.get(wallet)
        assert waiting.status_code == 403 and "待赋码" in waiting.text
        assert client.get(f"{url}/api/people/{person.wallet}/code").status_code == 403
        refused = post({"id_number": ID_NUMBER})
        assert refused.status_code == 409 and refused.headers["content-type"] == "application/problem+json"
        enter(authority, person, 0, 3600)
        for status, body, who, credential in (
            (401, {"person": person.id}, unit, "x"),
            (401, {"person": person.id}, lab, lab_secret),
            (401, {"person": person.id}, unit, lab_secret),
            (404, {"person": "p-nobody22"}, unit, secret),
            (404, {"id_number": id_number(5)}, unit, secret),
            (422, {"person": person.id, "id_number": ID_NUMBER}, unit, secret),
            (422, {"person": "\ud800"}, unit, secret),
            (422, {"person": 7}, unit, secret),
            (422, [], unit, secret),
            (422, {}, unit, secret),
            (413, {"person": "x" * 3000}, unit, secret),
        ):
            refused = post(body, who, credential)
            assert refused.status_code == status == refused.json()["status"], body
            assert ID_NUMBER not in refused.text
        assert client.get(wallet).status_code == 403
        granted = post({"id_number": ID_NUMBER})
        assert granted.status_code == 201 and granted.json() == {"person": person.id, "granted_unix": NOW}
        assert "绿码" in client.get(wallet).text
        assert post({"person": person.id}).status_code == 409
        assert (authority.people.audit()[0].actor, authority.people.audit()[0].action) == (unit, "grant")
        authority.parties.revoke("unit", unit, "test", NOW)
        assert post({"person": person.id}).status_code == 401
