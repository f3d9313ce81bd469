"""What the idle screen shows of the handheld's state, and what is wrong with it, the gravest first."""

if False:
    from firmware.services.gate import Gate
    from firmware.services.sync import Sync, Vault

LOW_BATTERY_PERCENT = 15


class Status:
    """The figures of the idle screen; compared by `key` to see whether anything changed."""

    def __init__(self, pending: int, online: bool, trust_age_s: "int | None", clock_text: str) -> None:
        self.pending = pending
        self.online = online
        self.trust_age_s = trust_age_s
        self.clock_text = clock_text
        self.warnings: "list[str]" = []
        #: People inside, None where nobody counts; how many may be, 0 for no limit.
        self.present: "int | None" = None
        self.capacity = 0
        #: Whether somebody must say that scene and place still hold.
        self.due = False

    def key(self) -> "tuple[object, ...]":
        """Equal for two statuses that look the same on the screen."""
        age_min = None if self.trust_age_s is None else self.trust_age_s // 60
        return (
            self.pending,
            self.online,
            age_min,
            self.clock_text,
            self.present,
            self.due,
            tuple(self.warnings),
        )


def warnings(gate: "Gate", vault: "Vault", sync: "Sync", scanner_ok: bool) -> "list[str]":
    """Text ids of what is wrong, the gravest first."""
    found = []
    clock, pack = vault.clock, gate.pack
    if vault.keystore.secret() is None:
        found.append("warn_not_enrolled")
    if not clock.trusted:
        found.append("warn_clock")
    if clock.conflict:
        found.append("warn_clock_conflict")
    if pack is None:
        found.append("warn_no_trust")
    elif clock.trusted and clock.now_unix() >= pack.expires_unix:
        found.append("warn_trust_expired")
    elif pack.damaged:
        found.append("warn_pack_damaged")
    elif not gate.scene_known:
        found.append("warn_scene")
    if gate.intake is not None and gate.intake.refused:
        found.append("warn_pack_refused")
    if not scanner_ok:
        found.append("warn_scanner")
    if not gate.thermometer_ok:
        found.append("warn_thermometer")
    if not gate.ledger.ok:
        found.append("warn_journal")
    elif vault.journal.nearly_full:
        found.append("warn_journal_full")
    trouble = _trouble(sync)
    if trouble:
        found.append(trouble)
    if gate.battery_percent <= LOW_BATTERY_PERCENT:
        found.append("warn_battery")
    return found


def _trouble(sync: "Sync") -> str:
    """Why the server is not reached, where it is more than that there is no network."""
    said = sync.trouble
    if sync.refused:
        return "warn_server"
    if said.startswith(("certificate", "CA certificate")):
        return "warn_certificate"
    if "(401)" in said or "(403)" in said:
        return "warn_refused"
    return ""
