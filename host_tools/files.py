"""Files that must be whole or absent, private or both: atomic writes, bounded reads, one lock per folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

#: Nothing that the host tools read from their own state folder is larger.
DEFAULT_LIMIT_BYTES = 1_048_576


class FileTrouble(Exception):
    """A file of the state folder cannot be used; the message names the file and says why."""


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` in one step with `content`, readable by its owner only.

    After a crash the old or the new content is there, never half of it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    staging = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    _write_new(staging, content)
    staging.replace(path)


def create_private(path: Path, content: bytes) -> bytes:
    """Create `path` with `content` unless it is there already; returns what it holds afterwards.

    Two processes that start at once agree on one content.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    staging = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    _write_new(staging, content)
    try:
        # A link fails where the name is taken, which a rename would not.
        os.link(staging, path)
    except FileExistsError:
        return read_limited(path)
    finally:
        staging.unlink()
    return content


def read_limited(path: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> bytes:
    """The content of `path`. Raises FileTrouble where it cannot be read or holds more than `limit_bytes`."""
    try:
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)
    except OSError as e:
        raise FileTrouble(f"{path}: {e.strerror or 'cannot be read'}") from e
    if len(content) > limit_bytes:
        raise FileTrouble(f"{path}: larger than {limit_bytes} bytes")
    return content


def stamp(path: Path) -> tuple[int, int, int] | None:
    """Changes whenever `path` is replaced or written to; None where there is no such file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


@contextlib.contextmanager
def locked(folder: Path, name: str = ".lock") -> Iterator[None]:
    """Hold the lock file of `folder`; waits for another process that holds it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / name).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def try_lock(path: Path) -> int | None:
    """Take the lock file `path` for the rest of this process; None where another process holds it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
