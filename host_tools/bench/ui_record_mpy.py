"""Runs under MicroPython: N records sealed and appended to the journal's ring, for whoever counts outside.

    ui_record_mpy.py N

Prints for one record the writes to flash and their bytes.
"""

import sys

from host_tools.bench.journal_mpy import passage, ring


def main(count: int) -> None:
    """Append so many records."""
    flash, log = ring(1)
    programs, programmed = flash.programs, flash.programmed
    for _ in range(count):
        log.append(passage(log.next_seq))
    if count:
        print((flash.programs - programs) / count, (flash.programmed - programmed) / count)


main(int(sys.argv[1]))
