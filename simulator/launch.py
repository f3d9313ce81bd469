"""Start the interpreter so that it dies with this process's parent: ``python launch.py PARENT_PID
COMMAND...``."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the simulator is gone")
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606
