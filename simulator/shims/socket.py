"""``socket``: the interpreter's own, but names are looked up in the simulated network.

The answer is the address of a relay on this computer, which forwards to the true host while Wi-Fi is up.
"""

import struct
import sys

_path = sys.path[:]
sys.path.clear()
from socket import *  # noqa: E402

sys.path.extend(_path)

import _sim  # noqa: E402

_lookup = _sim.native_socket.getaddrinfo
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IPPROTO_IP = 0


def getaddrinfo(host: str, port: int, af: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> list:
    """As the ESP32: blocks, and raises OSError(-202) without a network."""
    relay = struct.unpack("<H", _sim.call(0x8E, 0, port, host.encode()))[0]
    return _lookup("127.0.0.1", relay, 0, SOCK_STREAM if type == 0 else type)
