"""``network``: what is rarely used, loaded at its first use."""

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_BEACON_TIMEOUT = 200
STAT_ASSOC_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204
station = ["mpy-esp32s3"]


def hostname(name: object = None) -> object:
    """The name of the station."""
    if name is None:
        return station[0]
    station[0] = name


def country(code: object = None) -> object:
    """The regulatory domain; has no effect."""
    return "CN"
