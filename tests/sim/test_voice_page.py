"""What the handheld says, at the page: the very samples over the WebSocket, and Web Audio in Chromium."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from boards import make_image
from conftest import ROOT, micropython
from test_web import Simulator, until
from test_web import browser as browser
from websockets.asyncio.client import connect

from host_tools.device import romfs, speech
from host_tools.device.build import build
from host_tools.device.engines import target_of

pytestmark = pytest.mark.xdist_group("voice-page")
#: Plays the clip when a key is pressed: to its end for yes, for no until a tenth of a second is heard.
FIRMWARE = """
import machine, asyncio, binascii
pin = machine.Pin
with open("/clip") as file:
    clip = binascii.a2b_base64(file.read())
enable = pin(47, pin.OUT, value=0)
keys = [pin(n, pin.IN, pin.PULL_UP) for n in (4, 6)]
async def play(cut):
    bus = machine.I2S(0, sck=pin(15), ws=pin(16), sd=pin(42), mode=machine.I2S.TX, bits=16,
        format=machine.I2S.MONO, rate=8000, ibuf=2048)
    enable(1)
    writer = asyncio.StreamWriter(bus, {})
    writer.out_buf = memoryview(clip)[:3200 if cut else len(clip)]
    await writer.drain()
    if not cut:
        await asyncio.sleep_ms(300)
    enable(0)
    bus.deinit()
    print("PLAYED", cut)
async def main():
    print("READY")
    while True:
        for key, cut in zip(keys, (True, False)):
            if key.value() == 0:
                await play(cut)
        await asyncio.sleep_ms(10)
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def clip() -> bytes:
    """What the build made of the word for a pass."""
    tree = build(ROOT / "build" / "device", target_of(micropython()))
    heard = speech.unpacked((tree / "rom" / "assets" / "voice.bin").read_bytes())
    return heard[speech.number("say_pass")]


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory, clip: bytes) -> Iterator[Simulator]:
    profile = tmp_path_factory.mktemp("profile")
    rom = tmp_path_factory.mktemp("rom")
    tree = build(ROOT / "build" / "device", target_of(micropython()))
    shutil.copyfile(tree / "rom" / "assets" / "voice.bin", rom / "voice.bin")
    make_image(profile, {"/main.py": FIRMWARE, "/clip": base64.b64encode(clip).decode()})
    (profile / "rom.img").write_bytes(romfs.pack(rom))
    started = Simulator(profile, "http://127.0.0.1:1")
    started.profile = profile
    started.line("READY")
    yield started
    started.stop()


def test_the_samples_reach_whoever_watches(simulator: Simulator, clip: bytes) -> None:
    async def watch(key: str) -> tuple[bytes, bool, dict[str, Any]]:
        """All samples until the speech is over, whether it broke off, and what was said about it."""
        pcm, broke_off = b"", False
        async with connect(f"ws://127.0.0.1:{simulator.port}/ws") as socket:
            await asyncio.to_thread(simulator.post, f"/api/keys/{key}?hold_ms=60")
            while True:
                text = await asyncio.wait_for(socket.recv(), 20)
                message = json.loads(text) if isinstance(text, str) else {"type": "pixels"}
                if message["type"] == "sound":
                    broke_off = not message["pcm"]
                    assert broke_off or message["rate_hz"] == 8000
                    pcm += base64.b64decode(message["pcm"])
                elif message.get("kind") == "speech" and not message["data"]["on"]:
                    return pcm, broke_off, message["data"]

    pcm, broke_off, told = asyncio.run(watch("yes"))
    assert pcm == clip and not broke_off
    assert told == {"on": False, "bytes": len(clip), "says": ["say_pass"], "text": "通过"}
    pcm, broke_off, told = asyncio.run(watch("no"))
    assert pcm == clip[:3200] and broke_off and told["bytes"] < 3200


def test_faster_time_plays_the_same_samples(tmp_path: Path, simulator: Simulator, clip: bytes) -> None:
    """With the first one's files; its own process, at ten times the speed."""
    profile = tmp_path / "fast"
    shutil.copytree(simulator.profile, profile)
    fast = Simulator(profile, "http://127.0.0.1:1", speed=10)
    try:
        fast.line("READY")
        mark = fast.mark()
        fast.post("/api/keys/yes?hold_ms=60")
        told = fast.wait("speech", mark, lambda data: not data["on"])
        assert told["bytes"] == len(clip) and told["says"] == ["say_pass"]
    finally:
        fast.stop()


@pytest.mark.browser
def test_the_page_plays_and_shows_it(browser: Any, simulator: Simulator, clip: bytes) -> None:
    context = browser.new_context()
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(simulator.url)
    until(page, "document.querySelector('#status').textContent === 'Running'")
    # Words are there for those who have no sound on, and who cannot hear.
    page.locator("[data-key=yes]").click()
    until(page, "document.querySelector('#said').textContent === '“通过”'")
    assert page.locator("#said").get_attribute("data-samples") in (None, "0")
    page.locator("#sound").click()
    page.wait_for_selector("#sound[aria-pressed=true]")
    page.locator("[data-key=yes]").click()
    until(page, f"document.querySelector('#said').dataset.samples === '{len(clip) // 2}'")
    until(page, "document.querySelector('#said').textContent === '“通过”'")
    context.close()
    assert not troubles
