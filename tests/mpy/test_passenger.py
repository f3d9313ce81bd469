"""A passage: the steps in the scene's order, what ends them, who is measured, what is recorded."""

import asyncio

from firmware.core import codes, reasons, record
from firmware.core.codes import Checked, Code, Person
from firmware.core.scene import Scene
from firmware.services.inbox import Inbox
from firmware.services.thermometry import Reading
from firmware.ui.passenger import Passenger
from firmware.ui.stage import KEY, KEY_NO, KEY_YES, Stage


class Screens:
    """Writes down what is shown, and presses keys where a screen asks for one."""

    def __init__(self, inbox, answers):
        self.shown = []
        self.checks = 0
        self.on_checking = None
        self.member = ()
        self.inbox = inbox
        self.answers = answers

    def _show(self, name, *values, member=None):
        # Of the thermometer's many values only the first is written down.
        if name != "measure" or self.member != member:
            self.member = member if name == "measure" else ()
            self.shown.append((name,) + values)  # noqa: RUF005
            for key in self.answers.get(name, ()):
                self.inbox.put(KEY, key)

    def checking(self, bar):
        self.checks += 1
        if self.on_checking:
            self.on_checking()

    def countdown(self, permille):
        pass

    def id_check(self, bar, name, tail):
        self._show("id", bar.direction)

    def measure(self, bar, headline, name, tail, party, body, progress, hint, mask, ask_mask):
        self._show("measure", ask_mask, headline, member=party)

    def question(self, bar, title, lines, labels):
        self._show(title)

    def verdict(self, bar, outcome, why, name, tail, body, age, role):
        self._show("verdict", outcome, bar.direction, role)

    def party(self, bar, members, outcome):
        self._show("party", outcome, [member[1] for member in members])

    def notice(self, bar, text_id, value):
        self._show("notice", text_id)


class Gate:
    """Answers as the test says."""

    place, language, battery_percent, direction, can_turn = "here", "zh", 80, 0, False

    def __init__(self, scene, checked=None):
        self._scene = scene
        self.checked = checked
        # Set once the screen says that the code is checked, where the check takes that long.
        self.checking = None
        self.found = {}
        self.reading = Reading(reasons.OK, 3470, 2400, 3660)
        self.records = []
        self.writes = True
        self.leads = 0

    def scene(self):
        return self._scene

    def trusted_now_unix(self):
        return 1_800_000_000

    async def check(self, text, now_unix):
        if self.checking:
            await self.checking.wait()
        return self.checked

    def direction_of(self, code):
        return self.leads

    def role(self, person, scene):
        return 1

    async def judge(self, code, decision, scene, direction, now_unix, ahead):
        return list(self.found.get(ahead, []))

    def scan(self, wanted):
        pass

    async def measure(self, scene, on_value):
        await asyncio.sleep_ms(20)
        on_value(3660, 100)
        return self.reading

    def longest_measure_ms(self, scene):
        return 500

    def record(self, code, decisions, scene, direction):
        self.records.append([decision.fields(code, scene) for decision in decisions])
        return self.writes

    def days_since(self, unix):
        return 1


class Voice:
    def __init__(self):
        self.said = []

    def say(self, text_ids, after_ms=0):
        self.said.append(text_ids)


class Panel:
    def __init__(self, screens):
        self.screens = screens
        self.voice = Voice()

    def signal(self, signal, says=()):
        if says:
            self.voice.say(says)


def lead(scene, kind=codes.KIND_LIVE, people=1, answers=None, change=None, call=None):
    """A passage; the gate and what was shown. `answers` are the keys pressed when a screen comes."""
    scene.result_ms = 1
    scene.mask_timeout_ms = scene.id_timeout_ms = 60
    found = [Person(b"s" * 16, "张*三", 0) for _ in range(people)]
    for person in found:
        person.id_tail = "341X"
    code = Code(kind, "i", b"c" * 8, 0, 1, found, b"")
    inbox = Inbox()
    if answers is None:
        answers = {"measure": (KEY_YES,), "id": (KEY_YES,), "ask_mask": (KEY_YES,)}
    screens = Screens(inbox, answers)
    gate = Gate(scene, Checked(code, reasons.OK))
    if change:
        change(gate)
    passenger = Passenger(Stage(gate, Panel(screens), inbox, lambda: None))
    asyncio.run(passenger.lead(b"YM1:") if call is None else call(passenger))
    return gate, screens.shown


def scene(steps, **changes):
    made = Scene("x", 1)
    made.steps = bytes(steps)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def names(shown):
    return [one[0] for one in shown]


def test_all_steps_in_the_usual_order():
    gate, shown = lead(scene((1, 2, 3, 4)), codes.KIND_PAPER)
    assert names(shown) == ["id", "measure", "verdict"] and shown[1][1] is True
    fields = gate.records[0][0]
    assert (fields[record.VERDICT], fields[record.MASK], fields[record.CONFIRMED]) == (0, 1, [1])
    assert fields[record.TEMPERATURE] == [3470, 2400, 3660] and fields[record.ROLE] == 1
    assert shown[-1] == ("verdict", 0, 0, 1)


def test_the_scene_decides_the_order():
    _, shown = lead(scene((1, 4, 3, 2)), codes.KIND_PAPER)
    assert names(shown) == ["ask_mask", "measure", "id", "verdict"] and shown[1][1] is False
    _, shown = lead(scene((1, 3, 2, 4)), codes.KIND_PAPER)
    assert names(shown) == ["measure", "id", "ask_mask", "verdict"]
    _, shown = lead(scene((1,)))
    assert names(shown) == ["verdict"]


def test_an_implied_mask_is_not_asked_for_and_is_worn():
    gate, shown = lead(scene((1, 3, 4), mask_implied=True), answers={})
    assert names(shown) == ["measure", "verdict"] and shown[0][1] is False
    assert (gate.records[0][0][record.MASK], gate.records[0][0][record.VERDICT]) == (1, 0)


def test_a_live_code_has_no_id_to_compare():
    _, shown = lead(scene((1, 2)))
    assert names(shown) == ["verdict"]


def test_what_turns_somebody_away_ends_the_steps():
    gate, shown = lead(scene((1, 4, 3)), answers={"ask_mask": (KEY_NO,)})
    assert names(shown) == ["ask_mask", "verdict"] and gate.records[0][0][record.REASONS] == [54]
    gate, shown = lead(scene((1, 4, 3)), answers={})
    assert gate.records[0][0][record.REASONS] == [55]
    gate, shown = lead(scene((1, 2, 3)), codes.KIND_PAPER, answers={"id": (KEY_NO,)})
    assert names(shown) == ["id", "verdict"] and gate.records[0][0][record.REASONS] == [45]

    def orange(gate):
        gate.found[0] = [reasons.COLOUR_ORANGE]

    gate, shown = lead(scene((1, 2, 3, 4)), change=orange)
    assert names(shown) == ["verdict"] and gate.records[0][0][record.REASONS] == [reasons.COLOUR_ORANGE]


def test_remarks_turn_nobody_away():
    def remark(gate):
        gate.found[0] = [3001]

    gate, shown = lead(scene((1, 3, 4)), change=remark)
    assert names(shown) == ["measure", "verdict"]
    assert (gate.records[0][0][record.VERDICT], gate.records[0][0][record.REASONS]) == (0, [3001])


def test_who_goes_out_is_not_measured():
    def out(gate):
        gate.leads = 1

    gate, shown = lead(scene((1, 2, 3, 4)), codes.KIND_PAPER, change=out)
    assert shown == [("verdict", 0, 1, 1)]
    assert record.TEMPERATURE not in gate.records[0][0]


def test_the_weakest_of_a_party_is_its_screen():
    def second_is_stale(gate):
        gate.found[1] = [3001, reasons.STALE]

    gate, shown = lead(scene((1, 3, 4)), people=3, change=second_is_stale)
    assert names(shown) == ["measure", "measure", "party"] and shown[-1][1:] == (2, [0, 2, 0])
    assert [fields[record.VERDICT] for fields in gate.records[0]] == [0, 2, 0]


def test_nothing_passes_unrecorded():
    def full(gate):
        gate.writes = False

    _, shown = lead(scene((1, 3, 4)), change=full)
    assert shown[-1][:2] == ("verdict", 2)


def test_boarding_without_a_code():
    made = scene((1, 3, 4), needs_code=False)
    gate, shown = lead(made, call=lambda passenger: passenger.board())
    fields = gate.records[0][0]
    assert (fields[record.KIND], fields[record.REASONS], fields[record.VERDICT]) == (4, [63], 0)
    assert shown[0] == ("measure", True, "headline_no_code")

    def no_clock(gate):
        gate.found[0] = [reasons.CLOCK_UNTRUSTED]

    gate, shown = lead(made, change=no_clock, call=lambda passenger: passenger.board())
    assert names(shown) == ["verdict"] and gate.records[0][0][record.VERDICT] == 2


def test_entry_by_hand_is_never_a_pass():
    gate, shown = lead(scene((1, 2, 3, 4)), call=lambda passenger: passenger.by_hand(3))
    fields = gate.records[0][0]
    assert (fields[record.MANUAL], fields[record.REASONS], fields[record.VERDICT]) == (3, [62], 2)
    assert names(shown) == ["measure", "verdict"]

    def expired(gate):
        gate.found[0] = [reasons.TRUST_EXPIRED]

    _, shown = lead(scene((1, 3, 4)), change=expired, call=lambda passenger: passenger.by_hand(1))
    assert names(shown) == ["measure", "verdict"], "there is no code that the pack could judge"

    def fever(gate):
        gate.reading = Reading(reasons.FEVER, 3620, 2400, 3810)

    gate, _ = lead(scene((1, 3, 4)), change=fever, call=lambda passenger: passenger.by_hand(1))
    assert (gate.records[0][0][record.VERDICT], gate.records[0][0][record.REASONS]) == (1, [50, 62])


def test_only_a_long_check_is_announced():
    async def led(passenger, slow):
        screens, gate = passenger._stage.screens, passenger._stage.gate
        if slow:
            gate.checking = asyncio.Event()
            screens.on_checking = gate.checking.set
        await asyncio.wait_for(passenger.lead(b"YM1:"), 10)
        assert screens.checks == slow

    for slow in (False, True):
        _, shown = lead(scene((1,)), call=lambda passenger, slow=slow: led(passenger, slow))
        assert names(shown) == ["verdict"]


def test_what_is_no_code_leaves_nothing():
    def poster(gate):
        gate.checked = Checked(None, reasons.NOT_A_CODE)

    gate, shown = lead(scene((1,)), change=poster, call=None)
    assert names(shown) == ["notice"] and gate.records == []
