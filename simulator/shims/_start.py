"""First module of the child: mounts the ROM images, then hands over to the simulated board's start.

Arguments: SOCKET IMAGE ROM ADDRESS SIZE SHIMS ADDRESS SIZE CLOCK ADDRESS. An address of 0 means that the
image is not in this process's memory and is read into the heap, or the clock from its file.
"""

import gc
import sys

import uctypes
import vfs

gc.collect()
_used = gc.mem_alloc()


def _mount(path: str, address: int, size: int, point: str) -> object:
    if address:
        memory = uctypes.bytearray_at(address, size)
    else:
        with open(path, "rb") as file:
            memory = file.read()
    system = vfs.VfsRom(memory)
    vfs.mount(system, point)
    return system


_shims = _mount(sys.argv[6], int(sys.argv[7]), int(sys.argv[8]), "/_sim")
_mount(sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), "/rom")
sys.path[:] = ["/_sim", ".frozen"]
import _sim  # noqa: E402

_sim.rom.extend((_shims, _used))
del _mount, _shims
import sim_boot  # noqa: E402, F401
