"""``socket``: the interpreter's own, but names are looked up in the simulated network.

The answer is the address of a relay on this computer, which forwards to the true host while Wi-Fi is up.
"""

import struct

import _sim

IPPROTO_TCP = 6


def __getattr__(name: str) -> object:
    return getattr(_sim.native_socket, name)


def getaddrinfo(host: str, port: int, af: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> list:
    """As the ESP32: blocks, and raises OSError(-202) without a network."""
    relay = struct.unpack("<H", _sim.call(0x8E, 0, port, host.encode()))[0]
    return _sim.native_socket.getaddrinfo("127.0.0.1", relay, 0, type or _sim.native_socket.SOCK_STREAM)
