"""Runs under MicroPython: what a passage takes beside scan and screen, for whoever counts outside.

    ui_decide_mpy.py RULES judge N     the rules of the file RULES over a live code, N times
    ui_decide_mpy.py RULES record N    N records sealed and appended to the journal's ring; prints for one the
                                       writes to flash and their bytes

RULES has one rule a line, in hexadecimal, as a pack carries it.
"""

import sys
from binascii import unhexlify

from firmware.core import codes, rule_data, rules
from firmware.core.codes import Code, Person

NOW_UNIX = 1_800_000_000


def record(count: int) -> None:
    """Append so many records."""
    # Only here: sealing needs AES, which WebAssembly's MicroPython has not.
    from host_tools.bench.journal_mpy import passage, ring

    flash, log = ring(1)
    programs, programmed = flash.programs, flash.programmed
    for _ in range(count):
        log.append(passage(log.next_seq))
    if count:
        print((flash.programs - programs) / count, (flash.programmed - programmed) / count)


def judge(path: str, count: int) -> None:
    """Judge so many times."""
    with open(path) as lines:
        records = [unhexlify(line.strip()) for line in lines]
    person = Person(b"s" * 16, "张*三", 0)
    person.test = (codes.RESULT_NEGATIVE, NOW_UNIX - 86_400)
    code = Code(codes.KIND_LIVE, "i", b"c" * 8, NOW_UNIX - 30, NOW_UNIX + 86_400, [person], b"")
    for _ in range(count):
        data = {
            "code": rule_data.code_data(code, person),
            "payload": None,
            "external": rule_data.external_data(code, NOW_UNIX, "registered_venue", "p", 0),
        }
        if rules.judge(records, data):
            sys.exit("a rule speaks against a good code")


if sys.argv[2] == "record":
    record(int(sys.argv[3]))
else:
    judge(sys.argv[1], int(sys.argv[3]))
