"""Start the interpreter so that it dies with this process's parent, with ROM images in its memory.

``python launch.py PARENT_PID PACKAGES ROM SHIMS MICROPYTHON ARGUMENT...``. Where PACKAGES names the folder
that MicroPython was installed to as a module of this Python, it runs in this process and the two ROM images
are mapped into its memory, as flash is on the board: address and size of each are appended to its arguments.
Where PACKAGES is empty, MICROPYTHON is an executable; it gets address 0 and reads the images into its heap.
"""

import ctypes
import importlib
import mmap
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def mapped(path: str) -> tuple[mmap.mmap, int]:
    """A private mapping of a file, and its address."""
    with open(path, "rb") as file:  # noqa: PTH123
        memory = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
    return memory, ctypes.addressof(ctypes.c_char.from_buffer(memory))


def main() -> None:
    """Bind our life to the parent's, then become the interpreter."""
    parent, packages, rom, shims = sys.argv[1:5]
    command = sys.argv[5:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit("the simulator is gone")
    sizes = [os.path.getsize(path) for path in (rom, shims)]  # noqa: PTH202
    if not packages:
        os.execv(command[0], [*command, rom, "0", str(sizes[0]), shims, "0", str(sizes[1])])  # noqa: S606
    sys.path.append(packages)
    (rom_memory, rom_address), (shims_memory, shims_address) = mapped(rom), mapped(shims)
    # Not imported above: the folder it lies in is known only now.
    run_main = importlib.import_module("micropython_module").run_main
    run_main([*command, rom, str(rom_address), str(sizes[0]), shims, str(shims_address), str(sizes[1])])
    rom_memory.close()
    shims_memory.close()


if __name__ == "__main__":
    main()
