"""Composition root: builds board, stores, services and screens, tests them, and starts the tasks."""

import asyncio
import gc
import os
import time

import cryptolib

from drivers.keys import Keys
from firmware.board import Board
from firmware.core.errors import CoreError
from firmware.core.p256_comb import Secrets
from firmware.engine import decode, groups, make_engine
from firmware.services.cable import forget, hand_over
from firmware.services.clock import Clock, epoch_offset_s
from firmware.services.enrolment import Enrolment
from firmware.services.gate import Gate, Senses
from firmware.services.inbox import Inbox
from firmware.services.intake import Intake
from firmware.services.journal import Journal
from firmware.services.keystore import Keystore
from firmware.services.ledger import Ledger
from firmware.services.packs import PackStore
from firmware.services.presence import Presence
from firmware.services.scanning import Scanning
from firmware.services.sealing import Sealing
from firmware.services.selftest import SelfTest
from firmware.services.settings import Settings
from firmware.services.slices import exhaust
from firmware.services.supervisor import Supervisor
from firmware.services.sync import Sync, Vault
from firmware.services.tables import Tables
from firmware.services.wifi import Wifi
from firmware.ui.flow import Flow
from firmware.ui.fonts import Fonts
from firmware.ui.panel import Panel
from firmware.ui.screens import Screens
from firmware.ui.stage import KEY, SCAN
from firmware.ui.voice import Voice

if False:
    from firmware.core.packview import Pack

VERSION = "0.1.0"
DATA = "/data"
GENERATOR = "/rom/assets/generator.tab"
ENROL = DATA + "/enrol.cbor"
EXPORT = DATA + "/export.yex"
ACKNOWLEDGEMENT = DATA + "/import.yak"
#: An export on the handheld's own flash leaves room there for packs; elsewhere it holds everything.
MAX_EXPORT_BYTES = 262_144
WHOLE_EXPORT_BYTES = 4_000_000
#: No signature was made before this release was: a clock that says otherwise is wrong. 2026-11-01 UTC.
FLOOR_UNIX = 1_793_491_200
HOUSEKEEPING_MS = 5_000
#: The longest that these tasks may go without a beat: a person at the door who is measured twice, and the
#: longest pause between two exchanges with the exchange itself.
FLOW_MS = 60_000
RADIO_MS = 180_000
#: How long the code of a fault is on the screen before the restart; the watchdog waits longer.
FAULT_MS = 4_000


def _seal_for(sealing: Sealing, pack: "Pack") -> None:
    """Seal for the server's key in `pack`; without one there, or with one that is none, as before."""
    found = pack.sealing_key()
    if found:
        try:
            sealing.use(*found)
        except CoreError as e:
            print("sealing:", e)


async def _housekeeping(gate: Gate, journal: Journal, supervisor: Supervisor) -> None:
    """The task of small regular things: battery, clock, the journal's next key and sector, memory."""
    while True:
        await gate.tidy()
        await exhaust(journal.tend_steps())
        gc.collect()
        supervisor.beat("housekeeping")
        await asyncio.sleep_ms(HOUSEKEEPING_MS)


async def _keys(keys: Keys, inbox: Inbox) -> None:
    """The task that carries key presses to the flow."""
    while True:
        inbox.put(KEY, await keys.next())


async def _run() -> None:
    """Build everything, test every chip, start the tasks; returns only by a reset."""
    board = Board()
    settings = Settings(DATA)
    keystore = Keystore(board.nvs, settings.get("enrolled"))
    enrolment = Enrolment(settings, keystore, ENROL)
    enrolment.start()
    await board.panel.start()
    fonts = Fonts("/rom/assets")
    screens = Screens(board.display, fonts, settings.get("language"))
    board.panel.brightness(80)

    clock = Clock(board.rtc, board.set_system_time, FLOOR_UNIX)
    with open(GENERATOR, "rb") as file:
        # A file in ROMFS lends its memory: nothing is copied.
        generator = memoryview(file)
    engine = make_engine()
    tables = Tables(DATA + "/tables", engine, generator)
    sealing = Sealing(Secrets(engine, generator), cryptolib.aes, os.urandom)
    journal = Journal(board.journal, sealing, lambda: settings.get("device_id"), clock.sure_unix)
    packs = PackStore(DATA + "/pack", settings, tables.verify_steps)
    test = SelfTest(screens.self_test)
    await test.run(board, clock, journal, packs)
    if packs.current:
        # The pack was signed then, so that moment has passed whatever the clock chip says.
        clock.raise_floor(packs.current.issued_unix)
        _seal_for(sealing, packs.current)
        await exhaust(journal.tend_steps())

    vault = Vault(settings, keystore, journal, packs, clock)
    forget(journal, settings.get("device_id"), keystore, ACKNOWLEDGEMENT)
    inbox = Inbox()
    scanning = Scanning(board.scanner, inbox, SCAN)
    board.scanner.on_state = scanning.state
    scanning.ok = test.scanner_ok
    wifi = Wifi(board.wlan, settings)
    sync = Sync(vault, wifi, board.chip_id, VERSION, ENROL)
    wifi.on_join = sync.joined
    enrolment.on_given = sync.provisioned
    ledger = Ledger(vault, Presence(DATA + "/presence"))
    ledger.ok = test.journal_ok
    ledger.start()
    senses = Senses(scanning, board.thermometer, board.battery)
    gate = Gate(vault, senses, sync, ledger, tables.verify_steps, groups)
    intake = Intake(packs, DATA, gate.trusted_now_unix)
    gate.intake = intake
    gate.enrolment = enrolment

    def pack_came(pack: "Pack") -> None:
        _seal_for(sealing, pack)
        gate.pack_came(pack)

    packs.on_installed = pack_came
    gate.thermometer_ok = test.thermometer_ok
    fonts.texts.of_rules = gate.rule_text
    voice = Voice(fonts.clips, board.speaker, decode)
    voice.on = gate.voice
    panel = Panel(screens, board.buzzer, board.led, board.vibration, voice)

    def restart() -> None:
        try:
            screens.fault(supervisor.code)
            time.sleep_ms(FAULT_MS)
        finally:
            board.restart()

    supervisor = Supervisor(board.start_watchdog(), DATA + "/crash.txt", restart)
    supervisor.spawn("flow", Flow(gate, panel, inbox, lambda: supervisor.beat("flow")).run(), True, FLOW_MS)
    supervisor.spawn("scanner", scanning.run())
    supervisor.spawn("keys", _keys(board.keys, inbox))
    supervisor.spawn("wifi", wifi.run(lambda: supervisor.beat("wifi")), True, RADIO_MS)
    supervisor.spawn("sync", sync.run(lambda: supervisor.beat("sync")), True, RADIO_MS)
    # Between two passengers and two exchanges: neither shall wait.
    supervisor.spawn("tables", tables.run(packs, lambda: scanning.wanted and not sync.busy))
    supervisor.spawn("intake", intake.run())
    supervisor.spawn("housekeeping", _housekeeping(gate, journal, supervisor))
    gc.collect()
    print("yima %s ready, %d bytes free" % (VERSION, gc.mem_free()))
    await supervisor.run()


def _cable(task: str, path: str) -> None:
    """Do by itself, over a cable and without the tasks: "export" records to a file, or "import" the answer.

    Without a path it is the file in DATA, and of an export only as much as fits there well.
    """
    board = Board()
    settings = Settings(DATA)
    device_id = settings.get("device_id")
    keystore = Keystore(board.nvs, settings.get("enrolled"))
    sealing = Sealing(Secrets(make_engine(), memoryview(b"")), cryptolib.aes, os.urandom)
    journal = Journal(board.journal, sealing, lambda: device_id, lambda: 0)
    journal.open()
    if task == "import":
        forget(journal, device_id, keystore, path or ACKNOWLEDGEMENT)
        return
    secret = keystore.secret()
    if task != "export" or secret is None:
        print("cable: not enrolled" if task == "export" else "cable: no such task")
        return
    # One that the firmware started counts on.
    watchdog = board.start_watchdog()
    limit = WHOLE_EXPORT_BYTES if path else MAX_EXPORT_BYTES
    now_unix = int(time.time()) + epoch_offset_s()
    done, left = hand_over(journal, device_id, secret, path or EXPORT, limit, now_unix, watchdog.feed)
    print("cable: %d exported, %d left" % (done, left))


def main(task: str = "", path: str = "") -> None:
    """What /main.py calls; with a task, what somebody calls over a cable (docs/cable.md)."""
    if task:
        _cable(task, path)
        return
    asyncio.run(_run())
