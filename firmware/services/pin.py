"""The PIN before what changes the handheld's job: six presses of the three keys, a wait after wrong tries.

Only a salted hash of it is kept. With 729 PINs that hides little from who takes the flash out; what keeps a
stranger at the door out is the wait, which outlives a power cut, for tries are counted before they are held
against the hash.
"""

from firmware.core.hmac256 import equal, sha256
from firmware.services.settings import Settings, SettingsError

PRESSES = 6
#: Wrong tries that cost nothing yet, the first wait after them, doubled with each more, and the longest.
FREE_TRIES = 5
FIRST_WAIT_S = 30
LONGEST_WAIT_S = 3_600
_MAX_TRIES = 15
_SALT_BYTES = 8
#: no, middle, yes, yes, middle, no: of a handheld whose unit has not set one.
FACTORY_PIN = b"\x00\x01\x02\x02\x01\x00"


def pin_hash(presses: bytes, salt: bytes) -> bytes:
    """What is kept of a PIN, 24 bytes: the salt (8), then 16 of SHA-256; a press is 0 no, 1 middle, 2 yes."""
    return salt + sha256(b"yima-pin", salt, presses)[:16]


def wait_s(settings: Settings, passed_ms: int) -> int:
    """For how many seconds nobody may try, `passed_ms` after the last try or after the start."""
    over = _tries(settings) - FREE_TRIES
    if over < 0:
        return 0
    whole_s = min(FIRST_WAIT_S << over, LONGEST_WAIT_S)
    return max(0, whole_s - passed_ms // 1000)


def opens(settings: Settings, presses: bytes, config: "bytes | None" = None) -> bool:
    """Whether these presses are the PIN; `config` is the hash that the unit's pack sets, if it does.

    Whoever asks has waited for as long as `wait_s` says.
    """
    try:
        settings.update({"pin_tries": bytes((min(_tries(settings) + 1, _MAX_TRIES),))})
    except SettingsError as e:
        # Tries that cannot be counted are not allowed.
        print("pin:", e)
        return False
    wanted = config or settings.get("pin") or pin_hash(FACTORY_PIN, bytes(_SALT_BYTES))
    good: bool = equal(pin_hash(presses, wanted[:_SALT_BYTES]), wanted)
    if good:
        try:
            settings.update({"pin_tries": b""})
        except SettingsError as e:
            print("pin:", e)
    return good


def _tries(settings: Settings) -> int:
    return int.from_bytes(settings.get("pin_tries"), "big")
