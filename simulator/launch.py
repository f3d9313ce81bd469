"""Start the interpreter so that it dies with this process's parent, with ROM images in its memory.

``python launch.py PARENT_PID PACKAGES ROM SHIMS CLOCK MICROPYTHON ARGUMENT...``. Where PACKAGES names the
folder that MicroPython was installed to as a module of this Python, it runs in this process and the two ROM
images are mapped into its memory, as flash is on the board: address and size of each are appended to its
arguments, and the address of the clock that it shares with the simulator. Where PACKAGES is empty,
MICROPYTHON is an executable; it gets address 0, reads the images into its heap, and the clock from its file.
"""

import ctypes
import importlib
import mmap
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def mapped(path: str, kind: int = mmap.MAP_PRIVATE) -> tuple[mmap.mmap, int]:
    """A mapping of a file, and its address."""
    with open(path, "r+b" if kind == mmap.MAP_SHARED else "rb") as file:  # noqa: PTH123
        memory = mmap.mmap(file.fileno(), 0, kind, mmap.PROT_READ | mmap.PROT_WRITE)
    return memory, ctypes.addressof(ctypes.c_char.from_buffer(memory))


def main() -> None:
    """Bind our life to the parent's, then become the interpreter."""
    parent, packages, rom, shims, clock = sys.argv[1:6]
    command = sys.argv[6:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit("the simulator is gone")
    sizes = [os.path.getsize(path) for path in (rom, shims)]  # noqa: PTH202
    if not packages:
        images = [rom, "0", str(sizes[0]), shims, "0", str(sizes[1])]
        os.execv(command[0], [*command, *images, clock, "0"])  # noqa: S606
    sys.path.append(packages)
    (rom_memory, rom_address), (shims_memory, shims_address) = mapped(rom), mapped(shims)
    clock_memory, clock_address = mapped(clock, mmap.MAP_SHARED)
    # Not imported above: the folder it lies in is known only now.
    run_main = importlib.import_module("micropython_module").run_main
    images = [rom, str(rom_address), str(sizes[0]), shims, str(shims_address), str(sizes[1])]
    run_main([*command, *images, clock, str(clock_address)])
    rom_memory.close()
    shims_memory.close()
    clock_memory.close()


if __name__ == "__main__":
    main()
