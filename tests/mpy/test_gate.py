"""The gate with a pack in force: which scene holds, who is who, replays, capacity, closing time, PIN."""

import asyncio
import struct

import fakes
import nor
import ramflash
from sealkit import OpenSealing

from firmware.core import cbor, certlogic, pack, reasons, record, rules, scene
from firmware.core.codes import Code, Person
from firmware.core.decision import Decision
from firmware.core.hmac256 import sha256
from firmware.core.packmemory import in_memory
from firmware.core.scene import Scene, encode_scene
from firmware.core.table import encode_book, encode_table, key_of
from firmware.services.journal import Journal, JournalError
from firmware.services.ledger import Ledger
from firmware.services.pin import FACTORY_PIN, pin_hash
from firmware.services.presence import Presence
from firmware.services.settings import Settings

fakes.add_libraries()

from firmware.services.gate import Gate, Senses  # noqa: E402

NOW = 1_800_000_000
DAY = 86_400
BUFFER = bytearray(96 * ramflash.BLOCK_BYTES)
RING_BLOCKS = 8
RING = bytearray(RING_BLOCKS * nor.BLOCK_BYTES)
PIN = b"\x02\x02\x02\x01\x01\x01"
STAFF, RETURNING = b"staff-pseudonym!", b"returning-person"


class Clock:
    def __init__(self):
        self.unix = NOW
        self.trusted = True
        self.conflict = False
        self.floor = 0

    def now_unix(self):
        return self.unix

    def sure_unix(self):
        return self.unix if self.trusted else 0

    def tick(self):
        pass

    def text(self):
        return "12:00"

    def raise_floor(self, unix):
        self.floor = max(self.floor, unix)


class Plain:
    """Whatever else the gate wants: a battery, a server, a key store, a pack store."""

    refused = False
    reached = True
    trouble = ""
    ok = True
    current = None

    def __init__(self):
        self.kicks = 0
        self.held = 0
        self.holds = 0

    def kick(self):
        self.kicks += 1

    def hold(self):
        self.held += 1
        self.holds += 1

    def release(self):
        self.held -= 1

    def secret(self):
        return b"s" * 32

    def local_key(self):
        return b"l" * 16

    def percent(self, millivolts):
        return 80

    def read_millivolts(self):
        return 3900


class Vault:
    pass


def scenes():
    hall = Scene("event", scene.IDENTITY_ALL)
    hall.name_zh, hall.name_en, hall.rank = "会展", "Event", 2
    hall.directions, hall.counts_presence = scene.ENTRIES_AND_EXITS, True
    hall.capacity, hall.closing_minute, hall.pass_back_s = 3, 1410, 300
    office = Scene("office", scene.IDENTITY_ROSTER)
    office.name_zh, office.rank, office.uses_roster = "机关", 1, True
    office.directions = scene.ENTRIES
    fair = Scene("fair", scene.IDENTITY_NONE)
    fair.rank, fair.directions, fair.counts_presence = 3, scene.ENTRIES_AND_EXITS, True
    fair.closing_minute = 1410
    return [hall, office, fair]


def packed(version=1, made=None):
    orange = rules.Rule(
        "o", reasons.COLOUR_ORANGE, certlogic.encode_logic({"===": [{"var": "code.colour"}, 2]})
    )
    orange.kinds = [1]
    parts = [
        (pack.SCENES, encode_book([(key_of(one.id), encode_scene(one)) for one in made or scenes()])),
        (
            pack.ROSTER,
            encode_table([(key_of(STAFF), bytes((1,))), (key_of(RETURNING), bytes((3,)))], 1),
        ),
        (pack.TEXTS, encode_book([(pack.text_key(2001, 0), "为何\n怎办".encode())])),
        (pack.RULES, encode_book([(bytes(8), rules.encode_rule(orange))])),
        (pack.CONFIG, cbor.dumps({1: pin_hash(PIN, b"saltsalt")})),
    ]
    entries = b"".join([struct.pack(">HI", kind, len(data)) + sha256(data) for kind, data in parts])
    manifest = pack.Manifest(version, NOW - DAY, NOW + 7 * DAY, entries)
    return in_memory(manifest, [data for _, data in parts])


def verify_steps(key, digest, signature):
    yield None
    return False


def restarted(clock=None, chosen="event"):
    """A gate over what lies on the flash."""
    vault = Vault()
    vault.settings = Settings("/flash")
    if chosen:
        vault.settings.update({"scene": chosen, "place": "hall 1", "device_id": "yima-1"})
    vault.clock = clock or Clock()
    device = vault.settings.get("device_id")
    ring = nor.NorFlash(RING_BLOCKS, RING)
    vault.journal = Journal(ring, OpenSealing(), lambda: device, vault.clock.sure_unix)
    vault.journal.open()
    vault.keystore = Plain()
    vault.seen_elsewhere = b""
    vault.packs = Plain()
    vault.packs.current = packed()
    ledger = Ledger(vault, Presence("/flash/presence"))
    ledger.start()
    gate = Gate(vault, Senses(Plain(), Plain(), Plain()), Plain(), ledger, verify_steps)
    gate.vault = vault
    gate.scene()
    return gate


def fresh(**options):
    flash = ramflash.RamFlash(96, BUFFER)
    ramflash.format(flash)
    ramflash.mount(flash)
    RING[:] = b"\xff" * len(RING)
    return restarted(**options)


def test_who_is_inside_is_not_to_be_read():
    gate = fresh()
    passes(gate, code())
    with open("/flash/presence", "rb") as file:
        noted = file.read()
    assert gate.presence == 1 and len(noted) >= 64 and b"a-person" not in noted
    assert gate.ledger.inside(code(), code().people[0].sub)
    other = restarted(gate.vault.clock, None)
    assert other.presence == 1 and other.ledger.inside(code(), code().people[0].sub)
    assert not other.ledger.inside(code(), b"another-by-name!")


def code(sub=b"a-person-by-name", cti=b"12345678", people=1):
    found = [Person(sub[:15] + bytes((65 + n,)) if n else sub, "张*三", 0) for n in range(people)]
    return Code(1, "i", cti, NOW - 30, NOW + DAY, found, b"")


def judged(gate, shown, ahead=0):
    direction = gate.direction_of(shown)
    decision = Decision(shown.people[0], [])
    decision.role = gate.role(decision.person, gate.scene())
    now_unix = gate.trusted_now_unix()
    found = asyncio.run(gate.judge(shown, decision, gate.scene(), direction, now_unix, ahead))
    return [reasons.name_of(reason) for reason in found]


def passes(gate, shown, reason=None):
    """Write the records of a passage; its direction."""
    direction = gate.direction_of(shown)
    decisions = [Decision(person, [reason] if reason else []) for person in shown.people]
    for decision in decisions:
        decision.role = gate.role(decision.person, gate.scene())
    assert gate.record(shown, decisions, gate.scene(), direction)
    return direction


def records(gate):
    items = gate.vault.journal.batch(1000, 100_000)[2]
    return [record.decode(data) for data in items if data[:2] != b"\xd8\x60"]


def test_the_packs_scene_holds_and_another_pack_changes_it():
    gate = fresh()
    assert gate.scene().capacity == 3 and gate.scene_known and gate.direction == 3
    assert gate.scene_name("event") == "会展" and gate.scene_name("nowhere") is None
    assert gate.scenes() == [("office", "机关"), ("event", "会展"), ("fair", "fair")]
    made = scenes()
    made[0].capacity = 9
    gate.vault.packs.current = packed(2, made)
    assert gate.scene().capacity == 9
    gate.vault.packs.current = packed(3, made[1:])
    assert gate.scene().id == "event" and not gate.scene_known
    assert judged(gate, code()) == ["scene_unknown"]
    assert "warn_scene" in gate.status().warnings
    gate.vault.packs.current = None
    assert judged(gate, code()) == ["no_trust_list"]
    assert gate.scenes() == []


def test_another_scene_is_journaled_and_starts_counting_anew():
    gate = fresh()
    passes(gate, code())
    assert gate.presence == 1
    assert not gate.choose("nowhere", "hall 1", "menu")
    assert gate.choose("fair", "hall 2", "menu")
    assert (gate.scene().id, gate.place, gate.presence) == ("fair", "hall 2", 0)
    reset, changed = records(gate)[-2:]
    assert (reset[record.EVENT], reset[record.DETAIL]) == (record.EVENT_PRESENCE_RESET, "1")
    assert (changed[record.EVENT], changed[record.DETAIL]) == (record.EVENT_SCENE, "menu, was event")
    assert (changed[record.SCENE], changed[record.PLACE]) == ("fair", "hall 2")
    # The same once more is a confirmation and no event.
    count = len(records(gate))
    assert gate.choose("fair", "hall 2", "menu") and len(records(gate)) == count
    assert gate.choose("office", "hall 2", "menu") and gate.presence is None


def test_roles_of_the_roster():
    gate = fresh(chosen="office")
    for sub, role in ((STAFF, 1), (RETURNING, 3), (b"a-person-by-name", 0)):
        assert gate.role(Person(sub, "x", 0), gate.scene()) == role
        passes(gate, code(sub))
    assert gate.role(None, gate.scene()) == 0
    named = [(fields[record.ROLE], record.SUB in fields, record.CTI in fields) for fields in records(gate)]
    assert named == [(1, True, True), (3, True, True), (0, False, False)]
    assert fresh().role(Person(STAFF, "x", 0), scenes()[0]) is None


def test_in_out_and_a_restart():
    gate = fresh()
    assert passes(gate, code()) == 0 and gate.presence == 1
    gate = restarted(gate.vault.clock)
    assert gate.presence == 1 and passes(gate, code()) == 1 and gate.presence == 0
    assert passes(gate, code(), reasons.FEVER) == 0 and gate.presence == 0
    assert passes(gate, code(people=3)) == 0 and gate.presence == 3


def test_the_power_fails_before_the_record():
    """Who was let in or out counts only with the record, whatever was noted before."""
    for chosen in ("event", "fair"):
        gate = fresh(chosen=chosen)
        passes(gate, code())
        ring = gate.vault.journal._ring._flash
        for shown, count in ((code(b"another-one-here", people=3), 1), (code(), 1)):
            gate.turn_direction()
            if shown.cti and count and shown.people[0].sub == code().people[0].sub:
                gate.turn_direction()
            ring.cut_at, ring.operations = 1, 0
            try:
                passes(gate, shown)
                raise AssertionError("no cut")
            except nor.PowerCut:
                pass
            assert gate.presence != count, "noted before the record"
            clock = gate.vault.clock
            gate = restarted(clock, None)
            ring = gate.vault.journal._ring._flash
            assert gate.presence == count
        passes(gate, code(b"another-one-here", people=2))
        assert restarted(gate.vault.clock, None).presence == 3


def test_a_refused_party_is_not_inside():
    for chosen in ("event", "fair"):
        gate = fresh(chosen=chosen)
        passes(gate, code())
        shown = code(b"another-one-here", people=3)
        decisions = [Decision(person, []) for person in shown.people]
        append_all = gate.vault.journal.append_all

        def refuse(records):
            raise JournalError("broken")

        for direction, party in ((0, decisions), (1, [Decision(code().people[0], [])])):
            gate.vault.journal.append_all = refuse
            assert not gate.record(shown if party is decisions else code(), party, gate.scene(), direction)
            assert gate.presence == 1 and not gate.ledger.ok
            gate.vault.journal.append_all = append_all
            # One record of a stop takes the first of their sequences.
            passes(gate, code(b"somebody-stopped"), reasons.FEVER)
            gate = restarted(gate.vault.clock, None)
            append_all = gate.vault.journal.append_all
            assert gate.presence == 1
        if chosen == "event":
            assert gate.direction_of(code()) == 1 and gate.direction_of(shown) == 0


def test_direction_by_hand():
    gate = fresh()
    assert gate.can_turn
    for direction in (0, 1, 3):
        gate.turn_direction()
        assert gate.direction == direction
    gate.turn_direction()
    passes(gate, code())
    assert gate.direction_of(code()) == 0, "in by hand, though he is inside"
    gate = fresh(chosen="office")
    gate.turn_direction()
    assert not gate.can_turn and gate.direction == 0


def test_the_same_code_again():
    gate = fresh()
    assert judged(gate, code()) == []
    passes(gate, code())
    assert gate.direction_of(code()) == 0 and judged(gate, code()) == ["replayed"], "a copy is no way out"
    assert gate.direction_of(code(cti=b"87654321")) == 1, "with the code of the next minute it is"
    gate.turn_direction()
    assert gate.direction == 0 and judged(gate, code()) == ["replayed"]
    gate.vault.clock.unix += 300
    assert "replayed" not in judged(gate, code())
    gate.vault.clock.unix -= 300
    # Who has left may come back with the same code.
    gate.turn_direction()
    passes(gate, code())
    gate.turn_direction()
    assert gate.direction_of(code()) == 0 and judged(gate, code()) == []
    # Who was turned away may try again.
    passes(gate, code(cti=b"87654321"), reasons.MASK_OFF)
    assert judged(gate, code(cti=b"87654321")) == []
    gate.vault.seen_elsewhere = sha256(b"elsewher")[:4] + struct.pack(">I", gate.vault.clock.unix - 5)
    assert judged(gate, code(cti=b"elsewher")) == ["replayed_elsewhere"]


def test_a_full_place():
    gate = fresh()
    passes(gate, code(people=2))
    assert judged(gate, code(b"another-one-here", b"other678")) == []
    assert judged(gate, code(b"another-one-here", b"other678"), ahead=1) == ["place_full"]
    passes(gate, code(b"another-one-here", b"other678"))
    assert judged(gate, code(b"a-third-one-here", b"third678")) == ["place_full"]
    assert judged(gate, code(cti=b"87654321")) == [], "whoever is inside may leave"
    status = gate.status()
    assert (status.present, status.capacity) == (3, 3)


def closing(gate):
    """The next closing time."""
    local = gate.vault.clock.unix + 8 * 3600
    return gate.vault.clock.unix + (1410 * 60 - local) % DAY


def test_everybody_is_out_after_closing_time():
    gate = fresh()
    passes(gate, code(people=3))
    gate.vault.clock.unix = closing(gate) - 1
    asyncio.run(gate.tidy())
    assert gate.presence == 3
    gate.vault.clock.unix += 2
    gate.vault.clock.trusted = False
    asyncio.run(gate.tidy())
    assert gate.presence == 3, "no clock, no closing time"
    gate.vault.clock.trusted = True
    asyncio.run(gate.tidy())
    assert gate.presence == 0
    out = records(gate)[-3:]
    assert [fields[record.EVENT] for fields in out] == [record.EVENT_FORCED_OUT] * 3
    assert len({fields[record.SUB] for fields in out}) == 3
    assert {(fields[record.DIRECTION], fields[record.DETAIL]) for fields in out} == {(1, "23:30")}
    count = len(records(gate))
    asyncio.run(gate.tidy())
    assert len(records(gate)) == count
    # Who comes after closing time stays until the next.
    passes(gate, code())
    asyncio.run(gate.tidy())
    assert gate.presence == 1


def test_counts_without_names_close_too():
    gate = fresh(chosen="fair")
    for _ in range(2):
        gate.turn_direction()
    gate.turn_direction()
    passes(gate, code())
    passes(gate, code(b"another-one-here"))
    assert gate.presence == 2 and record.SUB not in records(gate)[-1]
    gate.vault.clock.unix = closing(gate) + 1
    asyncio.run(gate.tidy())
    assert gate.presence == 0
    last = records(gate)[-1]
    assert (last[record.EVENT], last[record.DETAIL]) == (record.EVENT_FORCED_OUT, "23:30, 2")


def test_clock_of_the_journal():
    gate = fresh()
    passes(gate, code())
    later = Clock()
    later.unix = NOW - 5000
    assert restarted(later).vault.clock.floor == NOW
    untrusted = Clock()
    untrusted.unix, untrusted.trusted = NOW + 999, False
    passes(fresh(clock=untrusted), code(b"another-one-here"))
    assert restarted(Clock()).vault.clock.floor == 0, "what an untrusted clock said is no floor"


def test_a_clock_conflict_is_journaled_once():
    gate = fresh()
    gate.vault.clock.conflict = True
    for _ in range(3):
        asyncio.run(gate.tidy())
    assert [fields[record.EVENT] for fields in records(gate)] == [record.EVENT_CLOCK]
    assert "warn_clock_conflict" in gate.status().warnings


def test_the_scene_is_asked_for_after_two_days():
    gate = fresh()
    assert not gate.scene_is_due(), "the server has just chosen"
    gate.vault.clock.unix += 48 * 3600 - 1
    assert not gate.scene_is_due()
    gate.vault.clock.unix += 1
    assert gate.scene_is_due()
    gate.confirm_scene()
    assert not gate.scene_is_due()
    gate.vault.clock.unix -= 10
    assert gate.scene_is_due(), "a choice in the future is none"


def test_pin_of_the_unit():
    gate = fresh()
    assert gate.opens(PIN) and not gate.opens(FACTORY_PIN)
    gate.vault.packs.current = None
    assert gate.opens(FACTORY_PIN)


def test_words_of_the_packs_rules():
    gate = fresh()
    assert gate.rule_text(2001, "zh") == ("为何", "怎办") and gate.rule_text(2001, "en") is None
    gate.vault.packs.current = None
    assert gate.rule_text(2001, "zh") is None


def test_a_party_on_a_full_flash_is_recorded_as_a_whole_or_not_at_all():
    gate = fresh()
    shown = code(people=3)
    decisions = [Decision(person, []) for person in shown.people]
    while gate.record(shown, decisions, gate.scene(), 0):
        pass
    assert gate.vault.journal.next_seq % 3 == 1
    assert gate.presence == 3, "they are inside since the first time"
    assert gate.ledger.ok, "full is not broken"
    assert "warn_journal_full" in gate.status().warnings and "warn_journal" not in gate.status().warnings


def test_what_went_wrong_with_the_server():
    gate = fresh()
    for trouble, word in (
        ("certificate refused: x", "warn_certificate"),
        ("sync refused (401)", "warn_refused"),
        ("server too slow", ""),
    ):
        gate._sync.trouble = trouble
        found = [warning for warning in gate.status().warnings if warning[:9] in ("warn_cert", "warn_refu")]
        assert found == ([word] if word else []), trouble
