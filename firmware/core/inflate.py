"""Bounded inflation of a zlib stream (RFC 1950); the one module where the interpreters' libraries differ."""

from firmware.core.errors import CoreError

try:
    import io

    import deflate  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    import zlib  # type: ignore[import-not-found,unused-ignore]

    _HAS_DEFLATE = False
else:
    _HAS_DEFLATE = True

# The window to begin with, 512 bytes: most certificates fit. The 32 KiB that nearly every header asks for
# would be the biggest single allocation of a scan.
_FIRST_WINDOW_BITS = 9


class InflateError(CoreError):
    """A stream that is not zlib, is damaged or cut off, or grows beyond the limit."""


def inflate_zlib(data: bytes, limit: int) -> bytes:
    """The inflated bytes of the zlib stream `data`, at most `limit` (≤ 32,768) of them; raises InflateError.

    Bytes after the stream's checksum are refused, as is a preset dictionary.
    """
    if (
        len(data) < 6
        or data[0] & 15 != 8
        or data[0] > 0x7F
        or (data[0] << 8 | data[1]) % 31
        or data[1] & 0x20
    ):
        raise InflateError("header")
    return _inflate_mpy(data, limit) if _HAS_DEFLATE else _inflate_cpython(data, limit)


def _inflate_mpy(data: bytes, limit: int) -> bytes:
    """`inflate_zlib` with MicroPython's deflate, which checks the checksum but not what comes after."""
    bits = _FIRST_WINDOW_BITS
    while True:
        # No distance reaches back before the output's first byte: a window as long as the output will do.
        size = min(limit, 1 << bits)
        source = io.BytesIO(data)
        try:
            out: bytes = deflate.DeflateIO(source, deflate.ZLIB, bits).read(size + 1)
        except (OSError, EOFError):
            raise InflateError("damaged") from None
        if len(out) <= size:
            if source.tell() != len(data):
                raise InflateError("length")
            return out
        if size == limit:
            raise InflateError("too long")
        bits += 3
        while bits > _FIRST_WINDOW_BITS and 1 << (bits - 1) >= limit:
            bits -= 1


def _inflate_cpython(data: bytes, limit: int) -> bytes:
    """`inflate_zlib` with CPython's zlib."""
    stream = zlib.decompressobj()
    try:
        out: bytes = stream.decompress(data, limit + 1)
    except zlib.error:
        raise InflateError("damaged") from None
    if len(out) > limit:
        raise InflateError("too long")
    if not stream.eof or stream.unused_data:
        raise InflateError("length")
    return out
