"""What this ROM computes with, chosen when the ROM is built.

host_tools/device/engines.py writes another text for this module where the target runs native code; what
stands here is for targets that do not.
"""

from firmware.core import adpcm
from firmware.core.p256_portable import PortableEngine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firmware.core.adpcm import Decode
    from firmware.core.base45 import Groups
    from firmware.core.p256_comb import Engine

#: The inner loop of base45, None for the one in bytecode.
groups: "Groups | None" = None
#: Makes sound of the voice's clips.
decode: "Decode" = adpcm.decode


def make_engine() -> "Engine":
    """The engine that signatures are checked with: make one, for as long as the handheld runs."""
    return PortableEngine()
