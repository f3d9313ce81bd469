"""The register on a real SQLite file: what is kept, what is not, and what each change does to a code."""

from __future__ import annotations

import base45
import cbor2
import pytest
from fleetkit import NOW
from hypothesis import given
from hypothesis import strategies as st
from officekit import DAY_S, ID_NUMBER, Clock, id_number, open_authority, registration
from sqlalchemy import func, select

from firmware.core import pack, table
from host_tools import cli
from host_tools.authority import schema, town, words
from host_tools.authority.content import read_roster
from host_tools.authority.default_rules import default_records
from host_tools.authority.fields import PeopleTrouble, masked
from host_tools.authority.idnumber import IdNumberError, normal
from host_tools.authority.lists import to_csv
from host_tools.authority.people import People

HEALTH = -65537


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


def claims(authority, person_id, medium=None):
    text = authority.show(authority.people.holder(person_id), medium).text
    return cbor2.loads(cbor2.loads(base45.b45decode(text[4:])).value[2])


def actions(authority, person_id):
    return [(row.actor, row.action, row.detail) for row in authority.people.audit(person_id=person_id)]


def test_the_town_is_there_once(authority, tmp_path):
    assert authority.town.people == town.build().people
    People(tmp_path / "authority", NOW + DAY_S).close()
    with authority.people.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(schema.Person)) == 20
    # Who travels with somebody keeps a wallet.
    authority.people.add_companion("nurse", "teacher", "test", NOW)
    assert [p.id for p in authority.town.people] == [p.id for p in town.build().people]
    authority.remove("shopper", "test")
    People(tmp_path / "authority", NOW).close()
    assert authority.town.find("shopper") is None


def test_a_registered_person_has_a_code(authority, person):
    code = claims(authority, person.id)
    assert code[2] == person.sub and len(person.sub) == 16
    assert code[HEALTH] == {1: 0, 2: "张*丰", 3: 0}
    printed = claims(authority, person.id, "paper")
    assert printed[6] == NOW and printed[HEALTH] == {1: 0, 2: "张*丰", 3: 1, 9: "002X"}
    assert authority.people.of_id_number(" 11010519491231002x ").id == person.id
    assert authority.people.of_wallet(person.wallet).id == person.id
    # Nobody's wallet is found by the id that lists and papers show.
    assert authority.people.of_wallet(person.id) is None and len(person.wallet) >= 20


def test_the_id_number_is_nowhere(authority, person, tmp_path):
    authority.people.database.close()
    for path in (tmp_path / "authority").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert ID_NUMBER.encode() not in content and ID_NUMBER[:-4].encode() not in content, path
            if path.name.startswith(("authority.sqlite", "id-hash", "office")):
                assert path.stat().st_mode & 0o077 == 0, path
    # Another authority's hash of the same number is another.
    other = open_authority(tmp_path / "other", Clock())
    assert other.people.id_hash(ID_NUMBER) != authority.people.id_hash(ID_NUMBER)


def test_refused_registrations(authority, person):
    for wrong in (
        {},
        {"id_number": "110105194912310021"},
        {"id_number": ""},
        {"id_number": "A" * 33},
        {"id_number": "AB12-34"},
        {"name": " ", "id_number": id_number(1)},
        {"name": "长" * 33, "id_number": id_number(1)},
        {"name": "a\x07b", "id_number": id_number(1)},
        {"region": "黑龙江", "id_number": id_number(1)},
        {"region": "黑龙江", "arrived_unix": NOW + 1, "id_number": id_number(1)},
    ):
        with pytest.raises(PeopleTrouble) as told:
            authority.people.add(registration(**wrong), "test", NOW)
        assert ID_NUMBER not in str(told.value)
    assert authority.people.search(ID_NUMBER[-4:])[1] == 1


@pytest.mark.parametrize("seed", range(20))
def test_check_characters(seed):
    number = id_number(seed)
    assert normal(number.lower()) == number
    for wrong in "0123456789X":
        if wrong != number[17]:
            with pytest.raises(IdNumberError):
                normal(number[:17] + wrong)


@given(st.text(max_size=40))
def test_any_text_is_an_id_number_or_not(text):
    try:
        number = normal(text)
    except IdNumberError as e:
        assert len(text) < 5 or text not in str(e)
    else:
        assert number.isascii() and number == normal(number) and 5 <= len(number) <= 18


@given(st.text("张王李 abc é", min_size=1, max_size=32).filter(lambda name: name.strip()))
def test_masks_hide_and_fit(name):
    shown = masked(name.strip())
    assert "*" in shown and 0 < len(shown.encode()) <= 48 * 3
    assert masked("张三") == "张*" and masked("欧阳小明") == "欧**明" and masked("Anna Meier") == "A* M*"


def test_colour_and_groups_and_arrival(authority, person):
    people = authority.people
    authority.set_colour(person.id, 2, "test")
    people.set_groups(person.id, [6, 1, 6], 3, "test", NOW)
    people.set_arrival(person.id, "黑龙江", NOW - DAY_S, False, "test", NOW)
    assert claims(authority, person.id)[HEALTH] == {
        1: 2,
        2: "张*丰",
        3: 0,
        6: [1, 6],
        8: ["黑龙江", NOW - DAY_S],
    }
    people.set_groups(person.id, [], None, "test", NOW)
    people.set_arrival(person.id, None, None, False, "test", NOW)
    assert claims(authority, person.id)[HEALTH] == {1: 2, 2: "张*丰", 3: 0}
    assert actions(authority, person.id)[-2:] == [
        ("test", "colour", "green → orange"),
        ("test", "register", ""),
    ]
    for wrong in (
        lambda: authority.set_colour(person.id, 4, "test"),
        lambda: authority.set_colour("p-nobody22", 0, "test"),
        lambda: people.set_groups(person.id, [9], None, "test", NOW),
        lambda: people.set_groups(person.id, [1], 0, "test", NOW),
        lambda: people.set_arrival(person.id, "x", None, False, "test", NOW),
        lambda: people.set_interval(1, 91, "test", NOW),
    ):
        before = len(people.audit())
        with pytest.raises(PeopleTrouble):
            wrong()
        assert len(people.audit()) == before


def test_companions(authority, person):
    people = authority.people
    others = [
        people.add(registration(name="李四", id_number=id_number(number)), "test", NOW) for number in range(6)
    ]
    for other in others[:5]:
        people.add_companion(person.id, other.id, "test", NOW)
    assert [c[10] for c in claims(authority, person.id)[HEALTH][7]] == [other.sub for other in others[:5]]
    for wrong in (others[5].id, others[0].id, person.id, "p-nobody22"):
        with pytest.raises(PeopleTrouble):
            people.add_companion(person.id, wrong, "test", NOW)
    people.remove_companion(person.id, others[0].id, "test", NOW)
    people.add_companion(person.id, others[5].id, "test", NOW)
    assert [c[10] for c in claims(authority, person.id)[HEALTH][7]] == [other.sub for other in others[1:]]
    authority.remove(others[1].id, "test")
    assert len(claims(authority, person.id)[HEALTH][7]) == 4


def test_results_of_the_town_stay_as_old_as_they_are_until_a_real_one(authority, clock):
    assert claims(authority, "teacher")[HEALTH][4] == [0, NOW - 2 * DAY_S]
    clock.now += 100 * DAY_S
    assert claims(authority, "teacher")[HEALTH][4] == [0, clock.now - 2 * DAY_S]
    assert claims(authority, "teacher", "paper")[6] == clock.now - 3 * DAY_S
    authority.intake.enter("teacher", 0, 2, clock.now - 50, "test", clock.now)
    assert claims(authority, "teacher")[HEALTH][4] == [2, clock.now - 50]
    # The paper in her hand would be older than the test on it.
    assert claims(authority, "teacher", "paper")[6] == clock.now
    clock.now += 9 * DAY_S
    assert claims(authority, "teacher")[HEALTH][4] == [2, clock.now - 9 * DAY_S - 50]


def test_search(authority, person):
    people = authority.people
    assert [row.id for row in people.search("三丰")[0]] == [person.id]
    assert people.search("%")[1] == 0 and people.search("_")[1] == 0
    assert people.search(colour=3)[1] == 1
    rows, total = people.search(offset=19, limit=50)
    assert (len(rows), total) == (2, 21)


def test_removal_ends_the_codes(authority, person):
    authority.intake.enter(person.id, 0, 0, NOW - 60, "test", NOW)
    authority.remove(person.id, "test")
    with pytest.raises(PeopleTrouble):
        authority.people.holder(person.id)
    revoked = authority.packs.revocations.all()
    assert [(entry.kind, entry.identity) for entry in revoked] == [("subject", person.sub)]
    with authority.people.database.reading() as session:
        assert not session.scalars(select(schema.Result).where(schema.Result.person_id == person.id)).all()
    assert actions(authority, person.id)[0][1] == "remove"
    # The same number may register again, under another pseudonym.
    assert authority.people.add(registration(), "test", NOW).sub != person.sub


def test_a_new_wallet_address_ends_the_old_one(authority, person):
    fresh = authority.people.new_wallet(person.id, "test", NOW)
    assert authority.people.of_wallet(person.wallet) is None
    assert authority.people.of_wallet(fresh).id == person.id
    with pytest.raises(PeopleTrouble):
        authority.people.new_wallet("teacher", "test", NOW)


def test_the_three_lists(authority, person, clock):
    def ids(name):
        return {line.person for line in authority.lists.get(name, clock.now)}

    people = authority.people
    assert ids("supervision") == {"orange", "forger"}
    authority.set_colour(person.id, 2, "test")
    people.set_contacts(person.id, "西陂村", "=cmd()", "test", NOW)
    assert ids("supervision") == {"orange", "forger", person.id}
    # "returned" was tested the day before arriving, "arrival" never.
    assert ids("arrivals") == {"arrival"}
    people.set_arrival(person.id, "黑龙江", NOW - 2 * DAY_S, False, "test", NOW)
    assert person.id in ids("arrivals")
    authority.intake.enter(person.id, 0, 0, NOW - 9 * DAY_S - 1, "test", NOW)
    assert person.id in ids("arrivals")
    authority.intake.enter(person.id, 0, 0, NOW - 9 * DAY_S, "test", NOW)
    assert person.id not in ids("arrivals")
    assert ids("overdue") == set()
    people.set_groups(person.id, [6], None, "test", NOW)
    assert ids("overdue") == set()
    people.set_groups(person.id, [6, 1], None, "test", NOW)
    assert ids("overdue") == {person.id}
    people.set_interval(1, 9, "test", NOW)
    assert ids("overdue") == set()
    clock.now += 1
    assert ids("overdue") == {person.id}
    people.set_groups(person.id, [6, 1], 30, "test", NOW)
    assert ids("overdue") == set()
    text = to_csv(authority.lists.get("supervision", clock.now))
    assert "西陂村,'=cmd()," in text and text.startswith("\ufeffperson,")


def test_a_roster_for_the_pack(authority, person, tmp_path, capsys):
    authority.people.set_contacts(person.id, "", "市图书馆", "test", NOW)
    authority.people.set_contacts("teacher", "", "市图书馆 ", "test", NOW)
    assert cli.main(["authority", "roster", "市图书馆", "--role", "new", "--state", str(tmp_path)]) == 0
    roster = read_roster(capsys.readouterr().out.encode(), "roster")
    assert {sub: role for sub, (role, *_) in roster.items()} == {
        person.sub: pack.NEW,
        authority.town.find("teacher").sub: pack.NEW,
    }
    assert cli.main(["authority", "roster", "图书馆", "--state", str(tmp_path)]) == 2


def test_igg_counts_for_arrivals(authority, person):
    authority.people.set_arrival(person.id, "黑龙江", NOW - DAY_S, False, "test", NOW)
    authority.intake.enter(person.id, 1, 0, NOW - 60, "test", NOW)
    assert person.id in {line.person for line in authority.lists.get("arrivals", NOW)}
    authority.intake.enter(person.id, 1, 1, NOW - 50, "test", NOW)
    assert person.id not in {line.person for line in authority.lists.get("arrivals", NOW)}


def test_intervals_are_in_the_rules_of_the_next_pack(authority):
    def rules():
        issued = authority.packs.current(NOW)
        (digest,) = [digest for kind, _, digest in issued.manifest.parts() if kind == pack.RULES]
        return issued.version, authority.packs.part(digest)

    def as_rules(days):
        records = default_records(days)
        return table.encode_book((n.to_bytes(8, "big"), record) for n, record in enumerate(records))

    version, before = rules()
    assert before == as_rules(words.INTERVAL_DAYS)
    authority.set_interval(6, 2, "test")
    days = list(words.INTERVAL_DAYS)
    days[5] = 2
    assert authority.people.intervals() == days
    assert rules() == (version + 1, as_rules(days)) and as_rules(days) != before
    with pytest.raises(PeopleTrouble):
        authority.set_interval(6, 0, "test")
    assert rules() == (version + 1, as_rules(days))
