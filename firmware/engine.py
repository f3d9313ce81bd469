"""The engine that this ROM checks signatures with, chosen when the ROM is built.

host_tools/device/engines.py writes another text for this module where the target runs native code; what
stands here is for targets that do not.
"""

from firmware.core.p256_portable import PortableEngine as Engine

__all__ = ["Engine"]
