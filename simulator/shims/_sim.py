"""The child's end of the bridge; the messages are described in simulator/protocol.py.

Loaded before anything else. Keeps the real builtin modules under private names, because the files beside this
one carry the same names. The process ends itself when the simulator is gone.
"""

import select
import struct
import sys

import uctypes
import vfs
from micropython import const

_path = sys.path[:]
sys.path.clear()  # with an empty path MicroPython imports the builtin module of that name
import os as native_os  # noqa: E402
import socket as native_socket  # noqa: E402
import time as native_time  # noqa: E402, F401

sys.path.extend(_path)

_ADDRESS = b"\x01\x00" + sys.argv[1].encode() + b"\0"
_MAX_CALLS = const(8)  # depth of the ESP32's queue of interrupt handlers; what does not fit is dropped

levels = bytearray(64)
handlers: dict = {}  # pin -> (callable, trigger mask, Pin)
timers: dict = {}  # (timer id, generation) -> callable
uarts: dict = {}  # UART id -> callable
rtc = [0]  # seconds that the simulated clock differs from the computer's
rom: list = []  # the image that the shims come from, kept for `rare`, and the heap in use before them
journal: list = []  # the open file of the journal's partition, if there is one
room = [0]  # bytes that fit into the buffers of I2S
cut = [0]  # flash operations until the power goes, 0 for never
spent = [0]  # microseconds that a board would have worked since time was set last, while it stands
_BEHIND_US = const(15000)  # the most that the chips lag behind this program
_STEP_US = const(2500)  # of a board for one step of a task; docs/bench.md, "A bus"

if int(sys.argv[10]):
    clock = uctypes.struct(int(sys.argv[10]), {"cells": (uctypes.ARRAY | 0, uctypes.INT64 | 2)}).cells
else:
    from sim_page import Page

    clock = Page(sys.argv[9])  # host_tools/clockpage.py describes it


def die() -> None:
    """End this process at once, past every handler the firmware may have."""
    native_os.system("kill -9 $PPID")  # noqa: S605


def connect(role: int, unit: int = 0) -> object:
    """A new connection to the simulator."""
    s = native_socket.socket(native_socket.AF_UNIX, native_socket.SOCK_STREAM)
    s.connect(_ADDRESS)
    s.write(bytes((role, unit)))
    return s


_control = connect(0)
events = connect(1)
_poll = select.poll()
_poll.register(events, select.POLLIN)
_request = bytearray(8)
_answer = bytearray(6)
_event = bytearray(4)
_idle = bytearray(16)
_taken = 0
stirred = [False]  # whether an event came that may have made something ready
_busy = False


def rare(name: str) -> object:
    """The module rare_NAME, loaded when first asked for. What the firmware does not use costs it no heap.
    Raises AttributeError.
    """
    try:
        return sys.modules["rare_" + name]
    except KeyError:
        pass
    vfs.mount(rom[0], "/_sim")
    sys.path.insert(0, "/_sim")
    try:
        return __import__("rare_" + name)
    except ImportError:
        raise AttributeError(name) from None
    finally:
        sys.path.pop(0)
        vfs.umount("/_sim")


def rare_method(self: object, name: str) -> object:
    """``__getattr__`` of a class whose rarely used methods are functions in rare_CLASS."""
    function = getattr(rare(type(self).__name__.lower()), name)
    return lambda *args, **options: function(self, *args, **options)


def number(pin: object) -> int:
    """The GPIO of a Pin or a number; -1 for None."""
    return -1 if pin is None else pin if isinstance(pin, int) else pin.id


def post(op: int, unit: int = 0, aux: int = 0, data: object = None) -> None:
    """Send a message that needs no answer."""
    struct.pack_into("<BBHI", _request, 0, op, unit, aux, len(data) if data else 0)
    try:
        _control.write(_request)
        if data:
            _control.write(data)
    except OSError:
        die()


def call(op: int, unit: int = 0, aux: int = 0, data: object = None) -> bytes:
    """Send a message and wait for its answer. Raises OSError with the status."""
    post(op, unit, aux, data)
    if _control.readinto(_answer) != 6:
        die()
    status, size = struct.unpack("<hI", _answer)
    reply = _control.read(size) if size else b""
    if status:
        raise OSError(status)
    return reply


def wait(wait_ms: int) -> int:
    """Where time goes from event to event: tell that this program waits for so long, -1 without end. How long
    to wait by the computer's clock.
    """
    if not clock[0] & 1:
        spent[0] = 0
        return wait_ms
    struct.pack_into("<BBHIII", _idle, 0, 0x0D, 0, _taken, 8, min(spent[0], 0xFFFFFFFF), wait_ms & 0xFFFFFFFF)
    spent[0] = 0
    try:
        _control.write(_idle)
    except OSError:
        die()
    return -1


def catch_up() -> None:
    """Let the chips get to where this program is by now."""
    us, spent[0] = spent[0], 0
    call(0x91, 0, 0, struct.pack("<I", us))


def pump(timeout_ms: int) -> None:
    """Wait for events and run what they call for; -1 waits without end."""
    if timeout_ms and not _poll.poll(0):
        timeout_ms = wait(timeout_ms)
    for _ in _poll.ipoll(timeout_ms):
        dispatch()


def dispatch() -> None:
    """Take every event that has arrived: follow the input pins, call interrupt handlers."""
    global _busy, _taken
    if _busy:  # a handler asked for a pin: it sees the level of its own moment
        return
    _busy = True
    calls = 0
    stop = 0
    try:
        while _poll.poll(0):
            if events.readinto(_event) != 4:
                die()
            _taken = _taken + 1 & 0xFFFF
            stirred[0] = True
            kind = _event[0]
            unit = _event[1]
            value = _event[2] | _event[3] << 8
            target = None
            if kind == 1:
                old = levels[unit]
                levels[unit] = value
                entry = handlers.get(unit)
                if entry and value != old and entry[1] & (1 if value else 2):
                    target = entry[0]
                    argument = entry[2]
            elif kind == 2:
                entry = timers.get((unit, value))
                if entry:
                    target, argument = entry
            elif kind == 3:
                cut[0] = value
            elif kind == 4:
                entry = uarts.get(unit)
                if entry:
                    target, argument = entry
            elif kind == 5:
                stop = value
            elif kind == 8:
                room[0] += value
            elif kind == 6:
                import gc

                post(0x0F, 0, 0, struct.pack("<II", gc.mem_alloc(), gc.mem_free()))
            if target and calls < _MAX_CALLS:
                calls += 1
                try:
                    target(argument)
                except Exception as e:  # noqa: BLE001
                    sys.print_exception(e)
    finally:
        _busy = False
    if stop:
        post(0x0E)
        raise KeyboardInterrupt


def hook_asyncio(core: object) -> None:
    """Let the event loop wait for our events beside its own, so that handlers run while everything sleeps."""

    async def follow() -> None:
        while True:
            yield core._io_queue.queue_read(events)
            dispatch()

    original = core.IOQueue.wait_io_event
    seen = [None]
    unlooked = [0]

    def wait_io_event(self: object, dt: int) -> None:
        if seen[0] is not self:
            seen[0] = self
            core.create_task(follow())
        if clock[0] & 1:
            spent[0] += _STEP_US
            if spent[0] > _BEHIND_US:
                catch_up()
            # With something among what is waited for that is no file, a poll takes a millisecond at least.
            if _poll.poll(0):
                dispatch()
            unlooked[0] += 1
            if stirred[0] or (not dt and unlooked[0] > 8):
                stirred[0] = False
                unlooked[0] = 0
                original(self, 0)
            if not dt:
                return
            task = core._task_queue.peek()
            dt = -1 if task is None else core.ticks_diff(task.ph_key, core.ticks())
            if task is not None and dt <= 0:
                return
        original(self, wait(dt))

    core.IOQueue.wait_io_event = wait_io_event
