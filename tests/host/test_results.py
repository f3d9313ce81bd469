"""Results of laboratories: the CSV reader under any bytes, intake once each, HTTP with a credential."""

from __future__ import annotations

import csv
import io
import json
import time
from concurrent.futures import ThreadPoolExecutor

import base45
import cbor2
import httpx
import pytest
from fleetkit import NOW, AppClient
from hypothesis import given
from hypothesis import strategies as st
from officekit import DAY_S, ID_NUMBER, Clock, id_number, open_authority, registration
from served import serving
from sqlalchemy import event

from host_tools import cli
from host_tools.authority import results
from host_tools.authority.app import make_app
from host_tools.authority.results import FileRefused, Row, RowError, read_csv

HEALTH = -65537
HEADER = "sample,id_number,type,result,taken\n"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def authority(tmp_path, clock):
    made = open_authority(tmp_path, clock)
    yield made
    made.people.close()


@pytest.fixture
def person(authority):
    return authority.people.add(registration(), "test", NOW)


def health(authority, person_id):
    text = authority.show(authority.people.holder(person_id), "live").text
    return cbor2.loads(cbor2.loads(base45.b45decode(text[4:])).value[2])[HEALTH]


def row(**changes):
    fields = {
        "sample": "A1",
        "id_number": ID_NUMBER,
        "type": "nucleic",
        "result": "negative",
        "taken": NOW - 60,
    }
    return {**fields, **changes}


def take(authority, *rows, lab=None, whole=False):
    data = json.dumps({"results": list(rows)}).encode()
    return authority.intake.take(lab, results.read_batch(data, NOW), lab or "test", NOW, whole)


def test_a_file_as_spreadsheets_write_it():
    text = (
        "Result,sample,ID_number,taken,type\r\n"
        f'"阴性",A1,{ID_NUMBER},2020-05-20 08:30,核酸\r\n'
        "\r\n"
        f"positive, A2 ,{ID_NUMBER},2020-05-20T00:30:00Z,IgG\r\n"
    )
    expected = [
        (2, Row("A1", ID_NUMBER, "", 0, 0, 1_589_934_600)),
        (4, Row("A2", ID_NUMBER, "", 1, 1, 1_589_934_600)),
    ]
    for data in (text.encode(), b"\xef\xbb\xbf" + text.encode(), text.encode("gb18030")):
        assert list(read_csv(data, NOW)) == expected


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (f"A1,{ID_NUMBER},nucleic,negative", "5 fields"),
        (f"A1,{ID_NUMBER},nucleic,negative,2020-05-20 08:30,x", "5 fields"),
        (f"A 1,{ID_NUMBER},nucleic,negative,2020-05-20 08:30", "sample"),
        (f"A1,{ID_NUMBER},blood,negative,2020-05-20 08:30", "type"),
        (f"A1,{ID_NUMBER},nucleic,maybe,2020-05-20 08:30", "result"),
        (f"A1,{ID_NUMBER},nucleic,negative,yesterday", "taken"),
        (f"A1,{ID_NUMBER},nucleic,negative,2020-02-30 08:30", "taken"),
        (f"A1,{ID_NUMBER},nucleic,negative,2020-06-20 08:30", "taken"),
        (f"A1,{ID_NUMBER},nucleic,negative,2019-05-20 08:30", "taken"),
        (",,,,", "sample"),
        ("A1,,nucleic,negative,2020-05-20 08:30", "id_number"),
        (f'"A1,{ID_NUMBER},nucleic,negative,2020-05-20 08:30', "quotes"),
        (f"A1,{ID_NUMBER},nucleic,negative,{'9' * 600}", "too long"),
    ],
)
def test_bad_lines(line, detail):
    good = f"B1,{ID_NUMBER},nucleic,negative,2020-05-20 08:30"
    (one, error), (two, parsed) = read_csv((HEADER + line + "\n" + good).encode(), NOW)
    assert (one, two) == (2, 3) and isinstance(parsed, Row)
    assert isinstance(error, RowError) and detail in str(error) and ID_NUMBER not in str(error)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"sample,type,result\n",
        b"sample,sample,type,result,taken\n",
        b"sample,type,result,taken,colour\n",
        b"\xff\xfe\x00\x00",
        HEADER.encode() + b"\n" * (results.MAX_LINES + 2),
        HEADER.encode() + bytes(results.MAX_FILE_BYTES),
        b'"' + HEADER.encode(),
    ],
)
def test_refused_files(data):
    with pytest.raises(FileRefused):
        list(read_csv(data, NOW))


@given(
    st.one_of(
        st.binary(max_size=600),
        st.text(max_size=300).map(lambda text: (HEADER + text).encode("utf-8", "replace")),
    )
)
def test_any_bytes_are_rows_or_refused(data):
    try:
        found = list(read_csv(data, NOW))
    except FileRefused:
        return
    numbers = [number for number, _ in found]
    assert numbers == sorted(set(numbers)) and all(number > 1 for number in numbers)
    for _, parsed in found:
        assert isinstance(parsed, (Row, RowError))


FIELDS = st.fixed_dictionaries(
    {
        "sample": st.text("AZaz09._/-", min_size=1, max_size=32),
        "id_number": st.text("0123456789AXZ ", min_size=1, max_size=20).filter(str.strip),
        "type": st.sampled_from(["nucleic", "PCR", "核酸", "igg", "IgG"]),
        "result": st.sampled_from(["negative", "positive", "pending", "阴性", "阳性", "待出"]),
        "taken": st.integers(NOW - 179 * DAY_S, NOW).map(str),
    }
)


@given(
    st.lists(FIELDS, max_size=8),
    st.permutations(list(HEADER.strip().split(","))),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_is_read(rows, columns, end):
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    found = list(read_csv(out.getvalue().encode("utf-8-sig"), NOW))
    assert [(number, parsed.sample, parsed.taken_unix) for number, parsed in found] == [
        (number, fields["sample"], int(fields["taken"])) for number, fields in enumerate(rows, 2)
    ]
    for (_, parsed), fields in zip(found, rows, strict=True):
        assert parsed.id_number == fields["id_number"].strip()
        assert parsed.kind == (fields["type"].lower() == "igg")
        assert (
            parsed.result
            == ["negative", "positive", "pending", "阴性", "阳性", "待出"].index(fields["result"]) % 3
        )


def test_codes_issued_afterwards_carry_the_result(authority, person):
    assert 4 not in health(authority, person.id)
    outcome = take(authority, row(), row(sample="A2", type="igg", result="positive", taken=NOW - 99))
    assert (outcome.taken, outcome.known, outcome.refused) == (2, 0, [])
    assert health(authority, person.id)[4] == [0, NOW - 60] and health(authority, person.id)[5] == [
        1,
        NOW - 99,
    ]
    # An older sample that comes late changes nothing, a newer one does.
    take(authority, row(sample="A0", taken=NOW - 500, result="positive"))
    assert health(authority, person.id)[4] == [0, NOW - 60]
    take(authority, row(sample="A3", taken=NOW - 5, result="positive"))
    assert health(authority, person.id)[4] == [1, NOW - 5]


def test_once_each(authority, person):
    lab, _ = authority.parties.add("lab", "one", "test", NOW)
    other, _ = authority.parties.add("lab", "two", "test", NOW)
    pending = row(result="pending")
    assert take(authority, pending, lab=lab).taken == 1
    assert take(authority, pending, pending, lab=lab).known == 2
    assert take(authority, row(), lab=lab).taken == 1
    assert health(authority, person.id)[4] == [0, NOW - 60]
    # Another laboratory may use the same number for another sample.
    assert take(authority, row(taken=NOW - 70), lab=other).taken == 1
    for conflict in (
        row(result="positive"),
        pending,
        row(taken=NOW - 61),
        row(id_number=id_number(3)),
        row(type="igg"),
    ):
        outcome = take(authority, conflict, lab=lab)
        assert (outcome.taken, outcome.known) == (0, 0) and "before" in outcome.refused[0][1]
    assert len(authority.people.results(person.id)) == 2


def test_good_rows_are_taken_and_with_whole_none(authority, person):
    rows = (row(), row(sample="A2", id_number="1101051949123100211"), row(sample="A3", result="x"))
    with pytest.raises(FileRefused, match="nothing taken"):
        take(authority, *rows, whole=True)
    assert authority.people.results(person.id) == []
    outcome = take(authority, *rows)
    assert outcome.taken == 1 and [index for index, _ in outcome.refused] == [1, 2]
    assert ID_NUMBER[:8] not in str(outcome.refused)


def test_who_registers_later_gets_the_result(authority, clock):
    number = id_number(7)
    lab, _ = authority.parties.add("lab", "one", "test", NOW)
    assert take(authority, row(id_number=number), lab=lab).taken == 1
    assert take(authority, row(id_number=number), lab=lab).known == 1
    assert take(authority, row(id_number=id_number(6)), lab=lab).refused
    late = authority.people.add(registration(id_number=number), "test", NOW)
    assert take(authority, row(id_number=number), lab=lab).known == 1
    assert health(authority, late.id)[4] == [0, NOW - 60]
    # What nobody came for is forgotten.
    take(authority, row(sample="B1", id_number=id_number(8)))
    clock.now += results.KEPT_S + 1
    authority.intake.take(None, [], "test", clock.now)
    data = json.dumps({"results": [row(sample="B2", id_number=id_number(9), taken=clock.now)]}).encode()
    authority.intake.take(None, results.read_batch(data, clock.now), "test", clock.now)
    later = authority.people.add(registration(id_number=id_number(8)), "test", clock.now)
    assert authority.people.results(later.id) == []


def test_a_positive_result_ends_printed_codes(authority, person):
    authority.printer.cards([person.id], "test", NOW)
    (paper,) = authority.papers.of(person.id)
    take(authority, row())
    assert authority.papers.of(person.id)[0].revoked_unix is None
    take(authority, row(sample="A2", result="positive"))
    assert authority.papers.of(person.id)[0].revoked_unix == NOW
    assert [(entry.kind, entry.identity) for entry in authority.packs.revocations.all()] == [
        ("code", paper.cti)
    ]


def test_over_http_with_a_credential(authority, person):
    lab, secret = authority.parties.add("lab", "县疾控", "test", NOW)
    unit, unit_secret = authority.parties.add("unit", "村委会", "test", NOW)
    authority.people.database.close()
    with serving(lambda port: make_app(authority)) as (url,), httpx.Client(trust_env=False) as client:

        def post(content, who=lab, credential=secret, **headers):
            headers = {"authorization": f"Bearer {credential}", **headers}
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            return client.post(f"{url}/api/labs/{who}/results", content=data, headers=headers)

        answer = post({"results": [row(), row(sample="A2", result="x"), {"sample": 1}]})
        assert answer.status_code == 200
        assert answer.json()["taken"] == 1 and [r["index"] for r in answer.json()["refused"]] == [1, 2]
        assert post({"results": [row()]}).json() == {"taken": 0, "known": 1, "refused": []}
        assert health(authority, person.id)[4] == [0, NOW - 60]
        for refused in (
            post({"results": [row()]}, credential="x"),
            post({"results": [row()]}, who="lab-nobody"),
            post({"results": [row()]}, credential=unit_secret),
            post({"results": [row()]}, who=unit, credential=unit_secret),
            client.post(f"{url}/api/labs/{lab}/results", json={"results": [row()]}),
            post(bytes(2_000_000), credential="x"),
        ):
            assert (
                refused.status_code == 401 and refused.headers["content-type"] == "application/problem+json"
            )
        for status, wrong in (
            (422, b"{"),
            (422, b"[]"),
            (422, b'{"results": []}'),
            (422, b"[" * 100_000),
            (422, b"\xff\xfe"),
            (422, json.dumps({"results": [row()] * (results.MAX_BATCH + 1)}).encode()),
            (413, bytes(results.MAX_BATCH_BYTES + 1)),
        ):
            refused = post(wrong)
            assert refused.status_code == status and refused.json()["status"] == status
            assert refused.headers["content-type"] == "application/problem+json"
        # A row can be anything.
        odd = [
            None,
            [],
            1,
            {"sample": "\ud800"},
            row(sample="x", id_number="\ud800"),
            row(extra=1),
            row(taken=True),
        ]
        assert [r["index"] for r in post({"results": odd}).json()["refused"]] == list(range(len(odd)))
        authority.parties.revoke("lab", lab, "test", NOW)
        assert post({"results": [row()]}).status_code == 401


def test_credentials_are_not_kept(authority, tmp_path):
    lab, secret = authority.parties.add("lab", "one", "test", NOW)
    authority.people.database.close()
    for path in (tmp_path / "authority").glob("authority.sqlite*"):
        assert secret.encode() not in path.read_bytes()
    assert authority.parties.is_good("lab", lab, secret) and not authority.parties.is_good(
        "lab", lab, secret + "x"
    )


def test_a_file_on_the_command_line(capsys, tmp_path):
    state = tmp_path / "state"
    clock = Clock()
    authority = open_authority(state, clock)
    person = authority.people.add(registration(), "test", NOW)
    now = int(time.time())
    file = tmp_path / "results.csv"
    file.write_text(
        HEADER + f"A1,{ID_NUMBER},nucleic,negative,{now - 60}\nA2,{ID_NUMBER[:-1]}1,nucleic,negative,{now}\n"
    )
    assert cli.main(["authority", "results", str(file), "--state", str(state)]) == 1
    said = capsys.readouterr()
    assert said.out.endswith("1 taken, 0 known, 1 refused\n") and "line 3: id_number" in said.err
    assert health(authority, person.id)[4] == [0, now - 60]
    assert cli.main(["authority", "results", str(file), "--whole", "--state", str(state)]) == 2
    assert cli.main(["authority", "results", str(tmp_path / "gone"), "--state", str(state)]) == 2
    assert cli.main(["authority", "results", str(file), "--lab", "lab-x", "--state", str(state)]) == 2


def test_many_at_once_count_once(authority, person):
    lab, secret = authority.parties.add("lab", "one", "test", NOW)
    rows = [row(sample=f"S{number}", taken=NOW - number) for number in range(20)]
    with serving(lambda port: make_app(authority)) as (url,):

        def post(_) -> dict:
            headers = {"authorization": f"Bearer {secret}"}
            address = f"{url}/api/labs/{lab}/results"
            return httpx.post(address, json={"results": rows}, headers=headers, trust_env=False).json()

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(post, range(6)))
    assert sum(answer["taken"] for answer in answers) == 20
    assert sum(answer["known"] for answer in answers) == 100
    assert len(authority.people.results(person.id)) == 20


def test_a_full_disk_is_told_and_nothing_of_the_row_is_logged(authority, person, caplog):
    lab, secret = authority.parties.add("lab", "one", "test", NOW)
    client = AppClient(make_app(authority), "http://127.0.0.1:8701")

    def full(connection, record) -> None:
        connection.execute("PRAGMA max_page_count = 1").close()
        connection.execute("PRAGMA query_only = ON").close()

    event.listen(authority.people.database.engine, "connect", full)
    authority.people.database.close()
    headers = {"authorization": f"Bearer {secret}"}
    answer = client.post(f"/api/labs/{lab}/results", json={"results": [row()]}, headers=headers)
    assert answer.status_code == 503 and answer.json()["status"] == 503
    assert ID_NUMBER not in caplog.text and "OperationalError" in caplog.text
    event.remove(authority.people.database.engine, "connect", full)
    authority.people.database.close()
    answer = client.post(f"/api/labs/{lab}/results", json={"results": [row()]}, headers=headers)
    assert answer.json()["taken"] == 1
