"""Speaks Chinese texts into a pipe with eSpeak NG; a process of its own, apart from the build's.

Texts come on the standard input, one a line, in UTF-8. For each goes to the standard output: rate in Hz and
number of samples, u32, little-endian, and the samples, 16 bits signed. The library and its data come from the
package espeakng-loader.
"""

from __future__ import annotations

import ctypes
import struct
import sys

import espeakng_loader

VOICE = b"cmn"
#: Words a minute, as eSpeak counts: its Chinese is slow at its usual 175.
SPEED = 190
_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_PARAMETER_RATE = 1
_UTF8 = 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Speaker:
    """The library, started. Raises OSError where it does not load or start."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._heard: list[bytes] = []
        # ctypes forgets a callback that nobody keeps.
        self._callback = _CALLBACK(self._hear)
        path = espeakng_loader.get_data_path().encode()
        self.rate_hz = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, path, _DO_NOT_EXIT))
        if self.rate_hz <= 0:
            raise OSError("eSpeak NG does not start")
        self._library.espeak_SetSynthCallback(self._callback)
        if self._library.espeak_SetVoiceByName(VOICE):
            raise OSError("eSpeak NG has no Chinese voice")
        self._library.espeak_SetParameter(_PARAMETER_RATE, SPEED, 0)

    def _hear(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: int | None) -> int:
        if samples and count > 0:
            self._heard.append(ctypes.string_at(samples, 2 * count))
        return 0

    def say(self, text: str) -> bytes:
        """The samples of a text, 16 bits signed. Raises OSError."""
        self._heard.clear()
        data = text.encode()
        if self._library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 1, 0, _UTF8, None, None):
            raise OSError("eSpeak NG cannot say " + text)
        self._library.espeak_Synchronize()
        return b"".join(self._heard)


def main() -> None:
    """Say every line of the standard input."""
    speaker = Speaker()
    for line in sys.stdin.buffer.read().decode().splitlines():
        samples = speaker.say(line)
        sys.stdout.buffer.write(struct.pack("<II", speaker.rate_hz, len(samples) // 2) + samples)


if __name__ == "__main__":
    main()
