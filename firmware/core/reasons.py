"""Why a verdict is what it is: numbers for records and screens, their names, the verdict each leads to.

The numbers go into records and are never given a new meaning. 10 to 29 concern the code, 30 to 39 what the
handheld knows, 40 to 49 the person, 50 to 59 the steps at the door, 60 on the record itself.
"""

PASS = 0
STOP = 1
ATTENTION = 2

OK = 0

NOT_A_CODE = 10
DAMAGED = 11
TOO_LONG = 12
UNKNOWN_ISSUER = 13
UNSUPPORTED_KEY = 14
BAD_SIGNATURE = 15
ISSUER_NOT_VALID = 16
EXPIRED = 17
NOT_YET_VALID = 18
STALE = 19
FOREIGN_MANUAL = 20

NO_TRUST_LIST = 30
TRUST_EXPIRED = 31
CLOCK_UNTRUSTED = 32

COLOUR_YELLOW = 40
COLOUR_ORANGE = 41
COLOUR_RED = 42
TEST_POSITIVE = 43
ARRIVAL_UNTESTED = 44
ID_DIFFERS = 45
ID_UNCHECKED = 46

FEVER = 50
TEMP_MISSING = 51
TEMP_SENSOR = 52
TEMP_AMBIENT = 53
MASK_OFF = 54
MASK_UNANSWERED = 55
INTERRUPTED = 56

NOT_RECORDED = 60

VERDICT_OF: dict[int, int] = {
    OK: PASS,
    NOT_A_CODE: ATTENTION,
    DAMAGED: ATTENTION,
    TOO_LONG: ATTENTION,
    UNKNOWN_ISSUER: ATTENTION,
    UNSUPPORTED_KEY: ATTENTION,
    BAD_SIGNATURE: STOP,
    ISSUER_NOT_VALID: ATTENTION,
    EXPIRED: STOP,
    NOT_YET_VALID: ATTENTION,
    STALE: ATTENTION,
    FOREIGN_MANUAL: ATTENTION,
    NO_TRUST_LIST: ATTENTION,
    TRUST_EXPIRED: ATTENTION,
    CLOCK_UNTRUSTED: ATTENTION,
    COLOUR_YELLOW: STOP,
    COLOUR_ORANGE: STOP,
    COLOUR_RED: STOP,
    TEST_POSITIVE: STOP,
    ARRIVAL_UNTESTED: ATTENTION,
    ID_DIFFERS: STOP,
    ID_UNCHECKED: ATTENTION,
    FEVER: STOP,
    TEMP_MISSING: ATTENTION,
    TEMP_SENSOR: ATTENTION,
    TEMP_AMBIENT: ATTENTION,
    MASK_OFF: STOP,
    MASK_UNANSWERED: ATTENTION,
    INTERRUPTED: ATTENTION,
    NOT_RECORDED: ATTENTION,
}

NAMES: dict[int, str] = {
    OK: "ok",
    NOT_A_CODE: "not_a_code",
    DAMAGED: "damaged",
    TOO_LONG: "too_long",
    UNKNOWN_ISSUER: "unknown_issuer",
    UNSUPPORTED_KEY: "unsupported_key",
    BAD_SIGNATURE: "bad_signature",
    ISSUER_NOT_VALID: "issuer_not_valid",
    EXPIRED: "expired",
    NOT_YET_VALID: "not_yet_valid",
    STALE: "stale",
    FOREIGN_MANUAL: "foreign_manual",
    NO_TRUST_LIST: "no_trust_list",
    TRUST_EXPIRED: "trust_expired",
    CLOCK_UNTRUSTED: "clock_untrusted",
    COLOUR_YELLOW: "colour_yellow",
    COLOUR_ORANGE: "colour_orange",
    COLOUR_RED: "colour_red",
    TEST_POSITIVE: "test_positive",
    ARRIVAL_UNTESTED: "arrival_untested",
    ID_DIFFERS: "id_differs",
    ID_UNCHECKED: "id_unchecked",
    FEVER: "fever",
    TEMP_MISSING: "temp_missing",
    TEMP_SENSOR: "temp_sensor",
    TEMP_AMBIENT: "temp_ambient",
    MASK_OFF: "mask_off",
    MASK_UNANSWERED: "mask_unanswered",
    INTERRUPTED: "interrupted",
    NOT_RECORDED: "not_recorded",
}
