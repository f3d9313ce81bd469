"""Composition root: builds board, stores, services and screens, tests them, and starts the tasks."""

import asyncio
import gc
import os
import time

import cryptolib

from drivers.keys import Keys
from firmware.board import Board
from firmware.core.errors import CoreError
from firmware.core.message import MAX_PROVISIONING_BYTES, parse_provisioning
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
from firmware.services.settings import Settings, SettingsError
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


async def _housekeeping(gate: Gate, clock: Clock, journal: Journal, supervisor: Supervisor) -> None:
    """The task of small regular things: battery, clock, the journal's next key and sector, memory."""
    while True:
        clock.tick()
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
    _provision(settings)
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

    keystore = Keystore(board.nvs)
    vault = Vault(settings, keystore, journal, packs, clock)
    inbox = Inbox()
    scanning = Scanning(board.scanner, inbox, SCAN)
    board.scanner.on_state = scanning.state
    scanning.ok = test.scanner_ok
    wifi = Wifi(board.wlan, settings)
    sync = Sync(vault, wifi, board.chip_id, VERSION, ENROL)
    wifi.on_join = sync.joined
    ledger = Ledger(vault, Presence(DATA + "/presence"))
    ledger.ok = test.journal_ok
    ledger.start()
    senses = Senses(scanning, board.thermometer, board.battery)
    gate = Gate(vault, senses, sync, ledger, tables.verify_steps, groups)
    intake = Intake(packs, DATA, gate.trusted_now_unix)
    gate.intake = intake

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
    supervisor.spawn("housekeeping", _housekeeping(gate, clock, journal, supervisor))
    gc.collect()
    print("yima %s ready, %d bytes free" % (VERSION, gc.mem_free()))
    await supervisor.run()


def main() -> None:
    """What /main.py calls."""
    asyncio.run(_run())
