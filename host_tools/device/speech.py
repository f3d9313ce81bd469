"""Makes the spoken clips of the handheld from the texts whose id begins with ``say_``.

eSpeak NG speaks them (say.py), here they are cut to what is audible, brought to one loudness and 8 kHz, and
packed as IMA ADPCM, 4 bits a sample. Clip file ``voice.bin``, all integers big-endian::

    0    3  "YV1"
    3    1  number of clips
    4    2  samples a second
    6    2  0
    8       per clip 8 bytes: lower 16 bits of CRC-32 of its id, length in bytes (2), offset (4)
    then    the clips; texts that are the same share one

The same texts, library and computer give the same bytes. ``python -m host_tools.device.speech FOLDER`` writes
them as WAV files to listen to, as the handheld plays them.
"""

from __future__ import annotations

import array
import binascii
import importlib.metadata
import math
import struct
import subprocess
import sys
import wave
from pathlib import Path

from firmware.core import adpcm
from host_tools.device import say

ROOT = Path(__file__).resolve().parents[2]
TEXTS = ROOT / "firmware" / "ui" / "texts.txt"
PREFIX = "say_"
RATE_HZ = 8_000
#: The whole file, in flash; docs/wiring.md has the partition that it lies in.
BUDGET_BYTES = 96 * 1024
#: Passed in full; nothing above half of RATE_HZ may remain.
_PASS_HZ = 3_500
_HALF_TAPS = 24
_PEAK = 0.92
_RMS = 0.20
_SILENCE = 0.012
_FADE_S = 0.008
PACKAGE = "espeakng-loader"


class SpeechError(Exception):
    """The clips cannot be made; the message says why."""


def texts(source: str) -> dict[str, str]:
    """Id and Chinese words of everything that is said, from firmware/ui/texts.txt."""
    rows = [line.split("|") for line in source.splitlines() if line.startswith(PREFIX)]
    return {row[0]: row[1] for row in rows}


def spoken(words: list[str]) -> list[tuple[int, list[float]]]:
    """What eSpeak NG makes of texts: samples a second, and samples from -1 to 1. Raises SpeechError."""
    result = subprocess.run(
        [sys.executable, "-m", say.__name__],
        input="\n".join(words).encode(),
        capture_output=True,
        check=False,
        cwd=ROOT,
    )
    if result.returncode:
        raise SpeechError(f"no speech: {result.stderr.decode('utf-8', 'replace').strip()[-300:]}")
    found = []
    at = 0
    for _ in words:
        rate_hz, count = struct.unpack_from("<II", result.stdout, at)
        samples = struct.unpack_from(f"<{count}h", result.stdout, at + 8)
        found.append((rate_hz, [sample / 32768 for sample in samples]))
        at += 8 + 2 * count
    return found


def resampled(samples: list[float], rate_hz: int) -> list[float]:
    """At RATE_HZ, through a windowed low pass."""
    cutoff = (_PASS_HZ + RATE_HZ / 2) / 2 / rate_hz
    common = math.gcd(rate_hz, RATE_HZ)
    up, down = RATE_HZ // common, rate_hz // common
    phases = [_taps(phase / up, cutoff) for phase in range(up)]
    padded = [0.0] * _HALF_TAPS + samples + [0.0] * (_HALF_TAPS + 1)
    out = []
    for at in range(len(samples) * up // down):
        whole, phase = divmod(at * down, up)
        taps = phases[phase]
        out.append(sum(map(float.__mul__, taps, padded[whole : whole + len(taps)])))
    return out


def _taps(shift: float, cutoff: float) -> list[float]:
    """A low pass whose middle lies `shift` of a sample behind a sample; `cutoff` in periods a sample."""
    taps = []
    for i in range(2 * _HALF_TAPS):
        x = i - _HALF_TAPS - shift
        window = 0.5 + 0.5 * math.cos(math.pi * x / (_HALF_TAPS + 1))
        taps.append(window * (2 * cutoff if not x else math.sin(2 * math.pi * cutoff * x) / (math.pi * x)))
    total = sum(taps)
    return [tap / total for tap in taps]


def trimmed(samples: list[float]) -> list[float]:
    """Without the silence at both ends, at one loudness, faded in and out. Raises SpeechError."""
    loud = [i for i, sample in enumerate(samples) if abs(sample) > _SILENCE]
    if not loud:
        raise SpeechError("a text is spoken as silence")
    samples = samples[loud[0] : loud[-1] + 1]
    rms = math.sqrt(sum(sample * sample for sample in samples) / len(samples))
    gain = min(_PEAK / max(map(abs, samples)), _RMS / rms)
    fade = int(_FADE_S * RATE_HZ)
    last = len(samples) - 1
    return [sample * gain * min(1.0, i / fade, (last - i) / fade) for i, sample in enumerate(samples)]


def encode(samples: list[int]) -> bytes:
    """IMA ADPCM of 16-bit samples. It follows the decoder, which it asks what each half of a byte gives."""
    steps = struct.unpack("<89H", adpcm.STEPS)
    guess = size = 0
    out = bytearray()
    for i, sample in enumerate(samples + [0] * (len(samples) & 1)):
        step = steps[size]
        left = abs(sample - guess)
        half = 8 if sample < guess else 0
        for bit, part in ((4, step), (2, step >> 1), (1, step >> 2)):
            if left >= part:
                half |= bit
                left -= part
        change = step >> 3
        for bit, part in ((4, step), (2, step >> 1), (1, step >> 2)):
            change += part if half & bit else 0
        guess = max(-32768, min(32767, guess - change if half & 8 else guess + change))
        size = max(0, min(88, size + (2 * (half & 3) + 2 if half & 4 else -1)))
        if i & 1:
            out[-1] |= half
        else:
            out.append(half << 4)
    return bytes(out)


def clip_file(source: str) -> bytes:
    """``voice.bin`` for the texts of firmware/ui/texts.txt. Raises SpeechError."""
    wanted = texts(source)
    words = list(dict.fromkeys(wanted.values()))
    clips = {}
    for word, (rate_hz, samples) in zip(words, spoken(words), strict=True):
        levels = [round(32767 * sample) for sample in trimmed(resampled(samples, rate_hz))]
        clips[word] = encode(levels)
    return packed({text_id: clips[word] for text_id, word in wanted.items()})


def packed(clips: dict[str, bytes]) -> bytes:
    """The file of these clips. Raises SpeechError for two ids of one hash, or a file beyond its budget."""
    hashes = [number(text_id) for text_id in clips]
    if len(set(hashes)) < len(hashes) or len(hashes) > 255:
        raise SpeechError("two ids of one hash, or more than 255: rename or remove one")
    start = 8 + 8 * len(clips)
    body = b""
    places: dict[bytes, int] = {}
    index = b""
    for hashed, clip in zip(hashes, clips.values(), strict=True):
        if len(clip) > 0xFFFF:
            raise SpeechError("a clip is longer than 16 seconds")
        if clip not in places:
            places[clip] = start + len(body)
            body += clip
        index += struct.pack(">HHI", hashed, len(clip), places[clip])
    made = struct.pack(">3sBHH", b"YV1", len(clips), RATE_HZ, 0) + index + body
    if len(made) > BUDGET_BYTES:
        raise SpeechError(f"{len(made)} bytes of speech, {BUDGET_BYTES} are allowed")
    return made


def number(text_id: str) -> int:
    """What stands for an id in the file."""
    return binascii.crc32(text_id.encode()) & 0xFFFF


def unpacked(data: bytes) -> dict[int, bytes]:
    """Samples, as the handheld plays them, of every clip of a file, by the hash of its id."""
    found = {}
    for i in range(data[3]):
        hashed, length, offset = struct.unpack_from(">HHI", data, 8 + 8 * i)
        out = bytearray(4 * length)
        adpcm.decode(data, offset, length, adpcm.start(), adpcm.STEPS, out)
        found[hashed] = bytes(out)
    return found


def fingerprint() -> bytes:
    """Changes when anything but the texts does that the clips are made from. Raises SpeechError."""
    try:
        version = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise SpeechError(f"the package {PACKAGE} is not installed: run make") from None
    modules = (__file__, say.__file__, adpcm.__file__)
    return version.encode() + b"".join(Path(module).read_bytes() for module in modules)


def main(folder: Path) -> None:
    """Write every clip as a WAV file."""
    source = TEXTS.read_text("utf-8")
    heard = unpacked(clip_file(source))
    folder.mkdir(parents=True, exist_ok=True)
    for text_id in texts(source):
        samples = array.array("h", heard[number(text_id)])
        if sys.byteorder == "big":
            samples.byteswap()
        with wave.open(str(folder / f"{text_id}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(samples.tobytes())
        print(f"{text_id} {len(samples) / RATE_HZ:.2f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
