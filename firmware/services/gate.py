"""What the flow may ask of the handheld: one narrow door between the screens and everything behind them."""

import time

from firmware.core import reasons, record
from firmware.core.codes import Checked, Code, check_steps
from firmware.core.decision import Decision
from firmware.core.place import check_place_steps
from firmware.core.policy import Case, judge_steps
from firmware.core.scene import (
    ENTRIES,
    ENTRIES_AND_EXITS,
    PASSAGES,
    ROLE_VISITOR,
    Scene,
    fallback_scene,
)
from firmware.services import pin
from firmware.services.selftest import BAD, GOOD
from firmware.services.settings import SettingsError
from firmware.services.slices import exhaust
from firmware.services.status import Status, warnings
from firmware.services.sync import Sync, Vault
from firmware.services.thermometry import Reading, longest_ms, measure

if False:
    from typing import Any, Callable, Generator

    VerifySteps = Callable[[bytes, bytes, bytes], Generator[None, None, bool]]

    from drivers.battery import Battery
    from drivers.mlx90614 import Thermometer
    from firmware.core.base45 import Groups
    from firmware.core.codes import Person
    from firmware.core.packview import Pack
    from firmware.core.place import PlaceCode
    from firmware.services.enrolment import Enrolment
    from firmware.services.intake import Intake
    from firmware.services.ledger import Ledger
    from firmware.services.scanning import Scanning

#: A scene is asked for again after this.
SCENE_AGE_S = 48 * 3600
#: The direction setting: whoever is inside goes out, everybody else comes in.
AUTOMATIC = 2
#: Key of the unit's configuration in a pack: the hash of the PIN.
CONFIG_PIN = 1


class Senses:
    """The chips that the gate reads: a plain record."""

    def __init__(self, scanning: "Scanning", thermometer: "Thermometer", battery: "Battery") -> None:
        self.scanning = scanning
        self.thermometer = thermometer
        self.battery = battery


class Gate:
    """Place, scene, clock, stores and senses of this handheld, as the flow sees them."""

    def __init__(
        self,
        vault: Vault,
        senses: Senses,
        sync: Sync,
        ledger: "Ledger",
        verify_steps: "VerifySteps",
        groups: "Groups | None" = None,
    ) -> None:
        self._vault = vault
        self._senses = senses
        self._sync = sync
        self._verify_steps = verify_steps
        self._groups = groups
        self._scene: "Scene | None" = None
        self._scene_of: object = None
        self._conflict_told = False
        self.ledger = ledger
        self._pin_ms = time.ticks_ms()
        self.battery_percent = senses.battery.percent(senses.battery.read_millivolts())
        #: Whether the thermometer answered when it was asked last.
        self.thermometer_ok = True
        #: Whether the pack in force, if there is one, knows the scene.
        self.scene_known = True
        #: Takes packs that come by cable or on paper, None where nobody does.
        self.intake: "Intake | None" = None
        #: Takes codes that enrol this handheld, None where nobody does.
        self.enrolment: "Enrolment | None" = None

    # ------------------------------------------------------------------ what holds here

    @property
    def pack(self) -> "Pack | None":
        """The pack in force, None before the first."""
        return self._vault.packs.current

    @property
    def place(self) -> str:
        """Where this handheld stands, "" before enrolment."""
        return str(self._vault.settings.get("place"))

    @property
    def language(self) -> str:
        """ "zh" or "en"."""
        return str(self._vault.settings.get("language"))

    @property
    def presence(self) -> "int | None":
        """How many people are inside, None where nobody counts."""
        presence = self.ledger.presence
        return presence.count if presence.opened else None

    @property
    def direction(self) -> int:
        """For the bar on top: 0 in, 1 out, 2 none, 3 whichever fits."""
        scene = self.scene()
        if scene.directions == PASSAGES:
            return record.DIRECTION_NONE
        if scene.directions == ENTRIES:
            return record.DIRECTION_IN
        chosen = int(self._vault.settings.get("direction"))
        return 3 if chosen == AUTOMATIC else chosen

    def scene(self) -> Scene:
        """The scene in force: from the pack, or without one a scene in which nobody passes."""
        id = str(self._vault.settings.get("scene"))
        pack = self.pack
        key = (id, self.place, pack and (pack.version, pack.damaged))
        if self._scene is None or key != self._scene_of:
            found = self._find_scene(id, pack)
            self.scene_known = found is not None
            self._scene = found or fallback_scene(id)
            self._scene_of = key
            if found is not None and pack is not None:
                self.ledger.settle(found, self.place)
        return self._scene

    def _find_scene(self, id: str, pack: "Pack | None") -> "Scene | None":
        return fallback_scene(id) if pack is None else pack.scene(id)

    def scenes(self) -> "list[tuple[str, str]]":
        """Id and name of every scene of the pack, in the order of the menu."""
        pack = self.pack
        found: "list[tuple[str, str]]" = []
        if pack is None:
            return found
        for id in pack.scene_ids():
            scene = pack.scene(id)
            if scene:
                found.append((id, scene.name(self.language)))
        return found

    def scene_name(self, id: str) -> "str | None":
        """The name of a scene of the pack, None where it has no such scene."""
        scene = self.pack.scene(id) if self.pack else None
        return scene.name(self.language) if scene else None

    def scene_is_due(self) -> bool:
        """Whether somebody must say that this is still the scene: 48 hours after it was chosen."""
        clock = self._vault.clock
        if not clock.trusted or self._vault.keystore.secret() is None:
            return False
        chosen = self._vault.settings.get("scene_unix")
        if not chosen:
            # Just enrolled: the server chose.
            self.confirm_scene()
            return False
        return not 0 <= clock.now_unix() - int.from_bytes(chosen, "big") < SCENE_AGE_S

    def confirm_scene(self) -> None:
        """Somebody said that the scene still holds."""
        self._update({"scene_unix": self._vault.clock.now_unix().to_bytes(4, "big")})

    def choose(self, scene_id: str, place: str, by: str) -> bool:
        """Another scene or place from now on; False where the pack does not know it or the flash fails."""
        pack = self.pack
        if pack is None or self._find_scene(scene_id, pack) is None:
            return False
        before = (self._vault.settings.get("scene"), self.place)
        if not self._update({"scene": scene_id, "place": place}):
            return False
        self.confirm_scene()
        if before != (scene_id, place):
            self.scene()
            self.ledger.event(record.EVENT_SCENE, scene_id, place, by + ", was " + before[0])
            self._sync.kick()
        return True

    def switch_language(self) -> None:
        """The other language, kept over a restart."""
        self._update({"language": "en" if self.language == "zh" else "zh"})

    @property
    def voice(self) -> bool:
        """Whether results are spoken."""
        return bool(self._vault.settings.get("voice"))

    def switch_voice(self) -> None:
        """Speak or be silent, kept over a restart."""
        self._update({"voice": 0 if self.voice else 1})

    @property
    def can_turn(self) -> bool:
        """Whether the scene leaves a choice of direction."""
        return self.scene().directions == ENTRIES_AND_EXITS

    def turn_direction(self) -> None:
        """The next of: whichever fits, in, out."""
        if self.can_turn:
            self._update({"direction": (int(self._vault.settings.get("direction")) + 1) % 3})

    def opens(self, presses: bytes) -> bool:
        """Whether these presses are the PIN."""
        config = self.pack.config() if self.pack else None
        wanted = config.get(CONFIG_PIN) if isinstance(config, dict) else None
        if self.pin_wait_s():
            return False
        usable = isinstance(wanted, bytes) and len(wanted) == 24
        good = pin.opens(self._vault.settings, presses, wanted if usable else None)
        self._pin_ms = time.ticks_ms()
        return good

    def pin_wait_s(self) -> int:
        """For how many seconds nobody may try the PIN."""
        return pin.wait_s(self._vault.settings, time.ticks_diff(time.ticks_ms(), self._pin_ms))

    @property
    def clock_conflict(self) -> bool:
        """Whether server and clock differ, so that somebody must decide."""
        return self._vault.clock.conflict

    def obey_server(self) -> bool:
        """Take the server's time, backwards; False where it told none that can be."""
        obeyed = self._vault.clock.obey_server()
        if obeyed:
            self.ledger.event(record.EVENT_CLOCK, self.scene().id, self.place, "set back by PIN")
        return obeyed

    def _update(self, changes: "dict[str, Any]") -> bool:
        try:
            self._vault.settings.update(changes)
        except SettingsError as e:
            # The screens stay as they are; the flash's own warning says more.
            print("settings:", e)
            return False
        return True

    # ------------------------------------------------------------------ one passage

    def trusted_now_unix(self) -> "int | None":
        """The time, or None where it cannot be relied on; then no code can pass."""
        clock = self._vault.clock
        return clock.now_unix() if clock.trusted else None

    def days_since(self, unix: int) -> int:
        """Calendar days from `unix` to today."""
        return self._vault.clock.days_since(unix)

    async def check(self, text: bytes, now_unix: "int | None") -> Checked:
        """Take a scanned text through the whole chain, in slices."""
        checked: Checked = await self._first(
            check_steps(text, self.pack, now_unix, self._verify_steps, self._groups)
        )
        return checked

    async def _first(self, steps: "Generator[None, None, Any]") -> "Any":
        """Drive slices that somebody at the door waits for: sync stands still meanwhile."""
        self._sync.hold()
        try:
            return await exhaust(steps)
        finally:
            self._sync.release()

    async def check_place(self, text: bytes) -> "tuple[PlaceCode | None, int]":
        """Take a place's code through the whole chain, in slices; the place, and the reason where none."""
        checked: "tuple[PlaceCode | None, int]" = await exhaust(
            check_place_steps(text, self.pack, self.trusted_now_unix(), self._verify_steps, self._groups)
        )
        return checked

    def direction_of(self, code: "Code | None") -> int:
        """Where this passage leads: 0 in, 1 out, 2 neither."""
        direction = self.direction
        if direction != 3:
            return direction
        if code is None or not self.ledger.inside(code, code.people[0].sub):
            return record.DIRECTION_IN
        # A phone shows a new code every minute. The very one that has just let somebody in is rather a copy
        # in other hands than somebody who leaves: it shall not pass as a way out.
        now_unix, pass_back_s = self.trusted_now_unix(), self.scene().pass_back_s
        if pass_back_s and now_unix is not None:
            copied = self.ledger.replay_reason(code.cti, now_unix, pass_back_s) == reasons.REPLAYED
            return record.DIRECTION_IN if copied else record.DIRECTION_OUT
        return record.DIRECTION_OUT

    def role(self, person: "Person | None", scene: Scene) -> "int | None":
        """What the roster says of a person, None where the scene uses none."""
        if not scene.uses_roster or self.pack is None:
            return None
        return self.pack.role(person.sub) if person is not None and person.sub else ROLE_VISITOR

    async def judge(
        self,
        code: "Code | None",
        decision: Decision,
        scene: Scene,
        direction: int,
        now_unix: "int | None",
        ahead: int,
    ) -> "list[int]":
        """What speaks against a person before anything is measured; `ahead` of the party go in first."""
        case = Case(code, decision.person, scene, self.place, decision.role or ROLE_VISITOR, now_unix)
        found: "list[int]" = await self._first(judge_steps(case, self.pack))
        if not self.scene_known:
            found.append(reasons.SCENE_UNKNOWN)
        if direction != record.DIRECTION_OUT:
            if code is not None and scene.pass_back_s and now_unix is not None:
                seen = self.ledger.replay_reason(code.cti, now_unix, scene.pass_back_s)
                if seen != reasons.OK:
                    found.append(seen)
            if scene.capacity and (self.presence or 0) + ahead >= scene.capacity:
                found.append(reasons.PLACE_FULL)
        return found

    def scan(self, wanted: bool) -> None:
        """Whether codes shall be read now."""
        self._senses.scanning.want(wanted)

    async def measure(self, scene: Scene, on_value: "Callable[[int | None, int], None]") -> Reading:
        """Take a person's temperature as the scene asks."""
        reading = await measure(self._senses.thermometer, scene, on_value)
        self.thermometer_ok = reading.reason != reasons.TEMP_SENSOR
        return reading

    def longest_measure_ms(self, scene: Scene) -> int:
        """How long `measure` may take: a fever gets a second look."""
        return longest_ms(scene)

    def record(self, code: "Code | None", decisions: "list[Decision]", scene: Scene, direction: int) -> bool:
        """Write one record per decision, all of them before this returns; False where the journal refuses."""
        written = self.ledger.write(code, decisions, scene, self.place, direction)
        if written:
            self._sync.kick()
        return written

    def rule_text(self, reason: int, language: str) -> "tuple[str, str] | None":
        """Text and advice that the pack has for a reason of its rules."""
        return self.pack.text(reason, language) if self.pack else None

    # ------------------------------------------------------------------ between passages

    def health(self) -> "list[tuple[str, int]]":
        """Rows of the self-test as far as it can be repeated while people pass: (text id, state)."""
        senses, clock = self._senses, self._vault.clock
        try:
            senses.thermometer.probe()
            self.thermometer_ok = True
        except OSError:
            self.thermometer_ok = False
        states = (
            ("chip_scanner", senses.scanning.ok),
            ("chip_thermometer", self.thermometer_ok),
            ("chip_clock", clock.trusted and not clock.conflict),
            ("chip_flash", self.ledger.ok),
            ("chip_trust", self.pack is not None and not self.pack.damaged),
            ("chip_wifi", self._sync.reached),
        )
        return [(text_id, GOOD if ok else BAD) for text_id, ok in states]

    def pack_came(self, pack: "Pack") -> None:
        """A pack has come into force: its scene holds from now on, and the journal knows."""
        self.ledger.event(record.EVENT_PACK, self.scene().id, self.place, "version %d" % pack.version)
        self._sync.kick()

    async def tidy(self) -> None:
        """Small regular things: battery, closing time, the file of who is inside, a clock conflict."""
        battery = self._senses.battery
        self.battery_percent = battery.percent(battery.read_millivolts())
        clock, journal = self._vault.clock, self._vault.journal
        clock.tick()
        next_seq = journal.next_seq
        if clock.conflict and not self._conflict_told:
            self.ledger.event(record.EVENT_CLOCK, self.scene().id, self.place)
        self._conflict_told = clock.conflict
        await exhaust(self.ledger.close_steps(self.scene(), self.place))
        await exhaust(self.ledger.tidy_steps())
        if journal.next_seq != next_seq:
            self._sync.kick()

    def status(self) -> Status:
        """What the idle screen needs to know."""
        vault = self._vault
        scene = self.scene()
        now_unix = self.trusted_now_unix()
        pack = self.pack
        age_s = None if pack is None or now_unix is None else max(0, now_unix - pack.issued_unix)
        status = Status(vault.journal.pending, self._sync.reached, age_s, vault.clock.text())
        status.present, status.capacity = self.presence, scene.capacity
        status.warnings = warnings(self, vault, self._sync, self._senses.scanning.ok)
        return status
