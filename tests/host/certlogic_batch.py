"""Run by both interpreters: CertLogic expressions, one JSON object per line in, one per line out.

    certlogic_batch.py FILE

In: logic and data. Out: value, a date-time as {"date-time": text}, or error.
"""

import json
import sys

from firmware.core import certlogic
from firmware.core.certlogic_dates import DateTime, text_of


def plain(value):
    if type(value) is DateTime:
        return {"date-time": text_of(value.ms)}
    if type(value) is list:
        return [plain(one) for one in value]
    if type(value) is dict:
        return {key: plain(one) for key, one in value.items()}
    return value


def answer(case):
    try:
        return {"value": plain(certlogic.evaluate(case["logic"], case["data"]))}
    except certlogic.CertLogicError as e:
        return {"error": str(e)}


def main(path):
    with open(path) as lines:
        for line in lines:
            print(json.dumps(answer(json.loads(line))))


if __name__ == "__main__":
    main(sys.argv[1])
