"""What the flow may ask of the handheld: one narrow door between the screens and everything behind them."""

from firmware.core import record
from firmware.core.codes import Checked, Code, check_steps
from firmware.core.decision import Decision
from firmware.core.record import RecordError
from firmware.core.scene import Scene, default_scene
from firmware.services.journal import JournalError
from firmware.services.settings import SettingsError
from firmware.services.slices import exhaust
from firmware.services.sync import Sync, Vault
from firmware.services.thermometry import Reading, longest_ms, measure

if False:
    from typing import Callable, Generator

    VerifySteps = Callable[[bytes, bytes, bytes], Generator[None, None, bool]]

    from drivers.battery import Battery
    from drivers.mlx90614 import Thermometer
    from firmware.core.base45 import Groups
    from firmware.services.scanning import Scanning
    from firmware.services.truststore import TrustStore


LOW_BATTERY_PERCENT = 15


class Status:
    """What the idle screen shows; compared by `key` to see whether anything changed."""

    def __init__(
        self, pending: int, online: bool, trust_age_s: "int | None", clock_text: str, warnings: "list[str]"
    ) -> None:
        self.pending = pending
        self.online = online
        self.trust_age_s = trust_age_s
        self.clock_text = clock_text
        self.warnings = warnings

    def key(self) -> "tuple[object, ...]":
        """Equal for two statuses that look the same on the screen."""
        age_min = None if self.trust_age_s is None else self.trust_age_s // 60
        return (self.pending, self.online, age_min, self.clock_text, tuple(self.warnings))


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
        verify_steps: "VerifySteps",
        groups: "Groups | None" = None,
    ) -> None:
        self._vault = vault
        self._senses = senses
        self._sync = sync
        self._verify_steps = verify_steps
        self._groups = groups
        self.battery_percent = senses.battery.percent(senses.battery.read_millivolts())
        #: Whether the last record could be written.
        self.journal_ok = True

    @property
    def trust(self) -> "TrustStore":
        """The trust list's store; `.current` is None before the first list came."""
        return self._vault.trust

    @property
    def place(self) -> str:
        """Where this handheld stands, "" before enrolment."""
        return str(self._vault.settings.get("place"))

    @property
    def direction(self) -> int:
        """0 in, 1 out, 2 none."""
        return int(self._vault.settings.get("direction"))

    @property
    def language(self) -> str:
        """ "zh" or "en"."""
        return str(self._vault.settings.get("language"))

    def switch_language(self) -> None:
        """The other language, kept over a restart."""
        try:
            self._vault.settings.update({"language": "en" if self.language == "zh" else "zh"})
        except SettingsError as e:
            # The screens stay as they are; the flash's own warning says more.
            print("settings:", e)

    def scene(self) -> Scene:
        """The scene in force."""
        return default_scene(str(self._vault.settings.get("scene")))

    def trusted_now_unix(self) -> "int | None":
        """The time, or None where it cannot be relied on; then no code can pass."""
        clock = self._vault.clock
        return clock.now_unix() if clock.trusted else None

    def days_since(self, unix: int) -> int:
        """Calendar days from `unix` to today."""
        return self._vault.clock.days_since(unix)

    async def check(self, text: bytes, now_unix: "int | None") -> Checked:
        """Take a scanned text through the whole chain, in slices."""
        checked: Checked = await exhaust(
            check_steps(text, self.trust.current, now_unix, self._verify_steps, self._groups)
        )
        return checked

    def scan(self, wanted: bool) -> None:
        """Whether codes shall be read now."""
        self._senses.scanning.want(wanted)

    async def measure(self, scene: Scene, on_value: "Callable[[int | None, int], None]") -> Reading:
        """Take a person's temperature as the scene asks."""
        return await measure(self._senses.thermometer, scene, on_value)

    def longest_measure_ms(self, scene: Scene) -> int:
        """How long `measure` may take: a fever gets a second look."""
        return longest_ms(scene)

    def record(self, code: "Code | None", decisions: "list[Decision]", scene: Scene) -> bool:
        """Write one record per decision, all of them before this returns; False where the journal refuses."""
        vault = self._vault
        try:
            party = vault.journal.next_seq
            for index, decision in enumerate(decisions):
                fields = decision.fields(code, scene)
                fields[record.SEQ] = vault.journal.next_seq
                fields[record.TIME] = vault.clock.now_unix()
                fields[record.CLOCK] = 0 if vault.clock.trusted else 1
                fields[record.DEVICE] = vault.settings.get("device_id")
                fields[record.PLACE] = self.place
                fields[record.DIRECTION] = self.direction
                if len(decisions) > 1:
                    fields[record.PARTY] = [party, index, len(decisions)]
                vault.journal.append(record.encode(fields))
        except (JournalError, RecordError) as e:
            print("journal:", e)
            self.journal_ok = False
            return False
        self.journal_ok = True
        self._sync.kick()
        return True

    def refresh_battery(self) -> None:
        """Measure the battery; call it while the radio and the module rest."""
        battery = self._senses.battery
        self.battery_percent = battery.percent(battery.read_millivolts())

    def status(self) -> Status:
        """What the idle screen needs to know."""
        vault = self._vault
        warnings = []
        now_unix = self.trusted_now_unix()
        trust = vault.trust.current
        if vault.keystore.secret() is None:
            warnings.append("warn_not_enrolled")
        if now_unix is None:
            warnings.append("warn_clock")
        if trust is None:
            warnings.append("warn_no_trust")
        elif now_unix is not None and now_unix >= trust.expires_unix:
            warnings.append("warn_trust_expired")
        if not self._senses.scanning.ok:
            warnings.append("warn_scanner")
        if not self.journal_ok:
            warnings.append("warn_journal")
        elif vault.journal.nearly_full:
            warnings.append("warn_journal_full")
        if self._sync.refused:
            warnings.append("warn_server")
        if self.battery_percent <= LOW_BATTERY_PERCENT:
            warnings.append("warn_battery")
        age_s = None if trust is None or now_unix is None else max(0, now_unix - trust.issued_unix)
        return Status(vault.journal.pending, self._sync.reached, age_s, vault.clock.text(), warnings)
