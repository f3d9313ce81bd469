"""The spoken clips: what is said and what is not, the codec, the file and its budget."""

from __future__ import annotations

import array
import math
import random
import struct
import sys
import warnings
from pathlib import Path

import pytest
from conftest import ROOT, need

from firmware.core import adpcm, reasons
from host_tools.bench.board import Board
from host_tools.device import speech

TEXTS = speech.texts(speech.TEXTS.read_text("utf-8"))
#: What a code or a test says of somebody's health: for the checker's eyes.
PRIVATE = ("colour_", "test_", "arrival_", "returning_", "subject_")


@pytest.fixture(scope="module")
def made() -> bytes:
    return speech.clip_file(speech.TEXTS.read_text("utf-8"))


def decoded(data: bytes) -> list[int]:
    out = bytearray(4 * len(data))
    adpcm.decode(data, 0, len(data), adpcm.start(), adpcm.STEPS, out)
    return list(struct.unpack(f"<{2 * len(data)}h", out))


def test_the_codec_is_audioops() -> None:
    need(sys.version_info < (3, 13), 1, "a Python that still has audioop, 3.12 or older")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop
    if sys.byteorder != "little":
        pytest.skip("audioop uses the computer's byte order")
    random.seed(8)
    for turn in range(40):
        loud = 32767 if turn % 2 else 2000
        samples = [round(loud * math.sin(i * random.random())) for i in range(2 * random.randrange(1, 400))]
        data = array.array("h", samples).tobytes()
        coded = audioop.lin2adpcm(data, 2, None)[0]
        assert speech.encode(samples) == coded
        assert struct.pack(f"<{len(samples)}h", *decoded(coded)) == audioop.adpcm2lin(coded, 2, None)[0]


def test_the_boards_own_machine_code_decodes_the_same() -> None:
    """xtensawin, run by the bench's interpreter; docs/architecture.md has the count."""
    board = Board()
    native = board.load("firmware/core/adpcm_native")["decode"]
    random.seed(9)
    one, two = adpcm.start(), adpcm.start()
    for _ in range(6):
        data = random.randbytes(64)
        expected, found = bytearray(256), bytearray(256)
        adpcm.decode(data, 0, 64, one, adpcm.STEPS, expected)
        native(data, 0, 64, two, adpcm.STEPS, found)
        assert found == expected and one == two
    assert board.instructions["decode"] / (6 * 128) < 200


def test_little_is_lost() -> None:
    """At least 15 dB below the speech: what 4 bits of IMA ADPCM give."""
    words = ["通过", "请停下", "需要核实"]
    for rate_hz, samples in speech.spoken(words):
        levels = [round(32767 * sample) for sample in speech.trimmed(speech.resampled(samples, rate_hz))]
        noise = [a - b for a, b in zip(levels, decoded(speech.encode(levels)), strict=False)]
        power = sum(x * x for x in levels) / max(1, sum(x * x for x in noise))
        assert 10 * math.log10(power) > 15


def test_the_file_holds_every_text_within_its_budget(made: bytes) -> None:
    assert made[:3] == b"YV1" and made[3] == len(TEXTS)
    assert len(made) <= speech.BUDGET_BYTES <= 96 * 1024
    heard = speech.unpacked(made)
    for text_id, words in TEXTS.items():
        samples = struct.unpack(f"<{len(heard[speech.number(text_id)]) // 2}h", heard[speech.number(text_id)])
        assert 0.1 * len(words) < len(samples) / speech.RATE_HZ < 0.45 * len(words), text_id
        assert 20_000 < max(map(abs, samples)) <= 32767, text_id
        # No click at either end.
        assert max(map(abs, samples[:8])) < 3000 and max(map(abs, samples[-8:])) < 3000, text_id
        rms = math.sqrt(sum(x * x for x in samples) / len(samples))
        assert 3500 < rms < 7500, text_id
    places = {struct.unpack_from(">HHI", made, 8 + 8 * i)[2] for i in range(made[3])}
    assert len(places) == len(set(TEXTS.values())), "texts that are the same share one clip"


def test_a_second_build_gives_the_same_bytes(made: bytes) -> None:
    assert speech.clip_file(speech.TEXTS.read_text("utf-8")) == made


def test_verdicts_share_no_character() -> None:
    words = [set(TEXTS[text_id]) for text_id in ("say_pass", "say_stop", "say_attention")]
    assert not (words[0] & words[1] or words[0] & words[2] or words[1] & words[2])
    assert not set(TEXTS["say_out"]) & (words[1] | words[2])


def test_what_is_said_after_a_verdict_is_a_reason_and_no_secret() -> None:
    names = {reasons.name_of(number) for number in reasons.built_in()}
    firmware = "".join(path.read_text("utf-8") for path in (ROOT / "firmware" / "ui").glob("*.py"))
    for text_id in TEXTS:
        name = text_id[len(speech.PREFIX) :]
        assert name in names or f'"{name}"' in firmware or f'"notice_{name}"' in firmware, text_id
        assert not name.startswith(PRIVATE), text_id
    assert all(any(name.startswith(secret) for name in names) for secret in PRIVATE)


def test_low_pass_keeps_speech_and_removes_what_would_fold() -> None:
    def level(hertz: float) -> float:
        tone = [math.sin(2 * math.pi * hertz * i / 22050) for i in range(4410)]
        out = speech.resampled(tone, 22050)[200:-200]
        return math.sqrt(2 * sum(x * x for x in out) / len(out))

    assert len(speech.resampled([0.0] * 22050, 22050)) == 8000
    for hertz in (150, 1000, 3000):
        assert abs(level(hertz) - 1) < 0.05, hertz
    for hertz in (4600, 6000, 9000):
        assert level(hertz) < 0.03, hertz


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(speech.SpeechError, match="silence"):
        speech.trimmed([0.0] * 500)
    with pytest.raises(speech.SpeechError, match="allowed"):
        speech.packed({f"say_{i}": bytes([i]) * 60_000 for i in range(2)})
    with pytest.raises(speech.SpeechError, match="16 seconds"):
        speech.packed({"say_a": bytes(70_000)})
    monkeypatch.setattr(speech, "number", lambda text_id: 1)
    with pytest.raises(speech.SpeechError, match="hash"):
        speech.packed({"say_a": b"a", "say_b": b"b"})
    monkeypatch.setattr(speech, "PACKAGE", "no-such-package")
    with pytest.raises(speech.SpeechError, match="run make"):
        speech.fingerprint()


def test_what_cannot_speak_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech.say, "__name__", "host_tools.device.no_such_module")
    with pytest.raises(speech.SpeechError, match="no_such_module"):
        speech.spoken(["通过"])


def test_wav_files_to_listen_to(tmp_path: Path) -> None:
    speech.main(tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == set(TEXTS)
    header = (tmp_path / "say_pass.wav").read_bytes()[:44]
    assert header[:4] == b"RIFF" and struct.unpack_from("<HI", header, 22) == (1, 8000)
