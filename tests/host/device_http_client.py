"""Runs under MicroPython: one `post` of the handheld's HTTPS client, its outcome as a line of JSON.

Arguments: URL, path of the CA in DER, length of the body to send, timeout in ms, limit of the answer; "sink"
to take the answer piece by piece, "full" with a sink that soon fails.
"""

import asyncio
import binascii
import gc
import hashlib
import json
import os
import sys
import time

from firmware.services.http import HttpError, post

url, ca_path, length, timeout_ms, limit = sys.argv[1:6]
with open(ca_path, "rb") as file:
    ca_der = file.read()
body = bytes(i * 7 & 255 for i in range(int(length)))
how = sys.argv[6] if len(sys.argv) > 6 else ""
beats = 0


class Full(Exception):
    pass


class Sink:
    def __init__(self):
        self.hasher = hashlib.sha256()
        self.length = self.longest = 0

    def write(self, data):
        self.hasher.update(data)
        self.length += len(data)
        self.longest = max(self.longest, len(data))
        if how == "full" and self.length > 2000:
            raise Full


def digest(data):
    return binascii.hexlify(hashlib.sha256(data).digest()).decode()


async def beat():
    global beats
    while True:
        beats += 1
        await asyncio.sleep_ms(5)


async def main():
    task = asyncio.create_task(beat())
    await asyncio.sleep_ms(0)
    before = len(os.listdir("/proc/self/fd"))
    started = time.ticks_ms()
    sink = Sink() if how else None
    try:
        status, answer = await post(url, body, "application/cbor", ca_der, int(timeout_ms), int(limit), sink)
        result = {"status": status, "length": len(answer), "sha256": digest(answer)}
    except Full:
        result = {"full": True}
    except HttpError as e:
        result = {"kind": e.kind, "message": str(e)}
    if sink:
        result["sunk"] = sink.length
        result["longest"] = sink.longest
        result["sunk_sha256"] = binascii.hexlify(sink.hasher.digest()).decode()
    result["ms"] = time.ticks_diff(time.ticks_ms(), started)
    result["leaked"] = len(os.listdir("/proc/self/fd")) - before
    result["beats"] = beats
    task.cancel()
    gc.collect()
    print(json.dumps(result))


asyncio.run(main())
