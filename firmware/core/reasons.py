"""Why a verdict is what it is: numbers for records and screens, their names, the verdict each leads to.

The numbers go into records and are never given a new meaning. 10 to 29 concern the code, 30 to 39 what the
handheld knows, 40 to 49 the person, 50 to 59 the steps at the door, 60 to 69 the record and the checker.

Signed rules may bring reasons of their own, with texts in the same pack: 1000 to 1999 stop, 2000 to 2999 ask
for attention, 3000 to 3999 are remarks that change no verdict.
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
CODE_REVOKED = 21
SUBJECT_REVOKED = 22
KEY_WITHDRAWN = 23
REPLAYED = 24
REPLAYED_ELSEWHERE = 25

NO_TRUST_LIST = 30
TRUST_EXPIRED = 31
CLOCK_UNTRUSTED = 32
NO_RULES = 33
RULE_ERROR = 34
PACK_DAMAGED = 35
SCENE_UNKNOWN = 36

COLOUR_YELLOW = 40
COLOUR_ORANGE = 41
COLOUR_RED = 42
TEST_POSITIVE = 43
ARRIVAL_UNTESTED = 44
ID_DIFFERS = 45
ID_UNCHECKED = 46
TEST_OVERDUE = 47
RETURNING_UNTESTED = 48

FEVER = 50
TEMP_MISSING = 51
TEMP_SENSOR = 52
TEMP_AMBIENT = 53
MASK_OFF = 54
MASK_UNANSWERED = 55
INTERRUPTED = 56

NOT_RECORDED = 60
PLACE_FULL = 61
MANUAL_ENTRY = 62
CODE_NOT_NEEDED = 63

#: Where the reasons of signed rules begin.
FIRST_OF_RULES = 1000

#: Number, then p, s or a for the verdict that it leads to, then the name. One constant stays in flash on the
#: handheld, where a dictionary would live in RAM.
_TABLE = b"""
0 p ok
10 a not_a_code
11 a damaged
12 a too_long
13 a unknown_issuer
14 a unsupported_key
15 s bad_signature
16 a issuer_not_valid
17 s expired
18 a not_yet_valid
19 a stale
20 a foreign_manual
21 s code_revoked
22 s subject_revoked
23 s key_withdrawn
24 a replayed
25 a replayed_elsewhere
30 a no_trust_list
31 a trust_expired
32 a clock_untrusted
33 a no_rules
34 a rule_error
35 a pack_damaged
36 a scene_unknown
40 s colour_yellow
41 s colour_orange
42 s colour_red
43 s test_positive
44 a arrival_untested
45 s id_differs
46 a id_unchecked
47 a test_overdue
48 a returning_untested
50 s fever
51 a temp_missing
52 a temp_sensor
53 a temp_ambient
54 s mask_off
55 a mask_unanswered
56 a interrupted
60 a not_recorded
61 a place_full
62 a manual_entry
63 p code_not_needed
"""


def _entry(reason: int) -> bytes:
    """The rest of a reason's line, empty for a number that is not built in."""
    mark = b"\n%d " % reason
    start = _TABLE.find(mark)
    if start < 0:
        return b""
    start += len(mark)
    return _TABLE[start : _TABLE.find(b"\n", start)]


def verdict_of(reason: int) -> int:
    """PASS, STOP or ATTENTION. A number that nobody knows must never let anyone pass: ATTENTION."""
    if reason >= FIRST_OF_RULES:
        group = reason // 1000
        return STOP if group == 1 else PASS if group == 3 else ATTENTION
    mark = _entry(reason)[:1]
    return STOP if mark == b"s" else PASS if mark == b"p" else ATTENTION


def name_of(reason: int) -> str:
    """The name of a built-in reason, ``reason_1001`` and the like for others."""
    return _entry(reason)[2:].decode() or "reason_%d" % reason


def built_in() -> list[int]:
    """The numbers of all built-in reasons."""
    return [int(line.split(b" ")[0]) for line in _TABLE.split(b"\n") if line]
