"""Read a small file without asking the heap for more than it holds; remove one that may not be there."""

import os


def read_limited(path: str, limit: int) -> bytes:
    """The file's content, or its first `limit` + 1 bytes where it is longer. Raises OSError.

    ``file.read(n)`` takes n bytes from the heap however short the file is.
    """
    size = os.stat(path)[6]
    with open(path, "rb") as file:
        data: bytes = file.read(min(size, limit + 1))
    return data


def remove(path: str) -> None:
    """Remove a file if it is there."""
    try:
        os.remove(path)
    except OSError:
        pass  # not there, or a flash that fails: whoever needs the room will hear of it
