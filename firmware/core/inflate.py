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

# The window to begin with, 2 KiB: nearly every certificate fits, and the 32 KiB that most headers ask for
# would be the biggest single allocation of a scan.
_FIRST_WINDOW_BITS = 11
_MAX_WINDOW_BITS = 15


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
    out, used = _inflate_raw(data[2:], limit)
    if len(data) != used + 6:
        raise InflateError("length")
    if int.from_bytes(data[-4:], "big") != _adler32(out):
        raise InflateError("checksum")
    return out


def _adler32(data: bytes) -> int:
    """Adler-32 (RFC 1950 section 8.2); 5,552 is the most bytes whose sums stay below 2**32."""
    a, b = 1, 0
    for i in range(0, len(data), 5552):
        for byte in data[i : i + 5552]:
            a += byte
            b += a
        a %= 65521
        b %= 65521
    return b << 16 | a


def _inflate_raw(data: bytes, limit: int) -> tuple[bytes, int]:
    """The inflated bytes of a raw stream and how many bytes of `data` it took."""
    if not _HAS_DEFLATE:
        return _inflate_raw_cpython(data, limit)
    bits = _FIRST_WINDOW_BITS
    while True:
        # No distance reaches back before the output's first byte: a window as long as the output will do.
        size = min(limit, 1 << bits)
        out = bytearray(size + 1)
        source = io.BytesIO(data)
        try:
            length = deflate.DeflateIO(source, deflate.RAW, bits).readinto(out)
        except (OSError, EOFError):
            raise InflateError("damaged") from None
        if length <= size:
            return bytes(out[:length]), source.tell()
        if size == limit or bits == _MAX_WINDOW_BITS:
            raise InflateError("too long")
        bits = min(bits + 3, _MAX_WINDOW_BITS)


def _inflate_raw_cpython(data: bytes, limit: int) -> tuple[bytes, int]:
    """`_inflate_raw` with CPython's zlib."""
    stream = zlib.decompressobj(-_MAX_WINDOW_BITS)
    try:
        out = stream.decompress(data, limit + 1)
    except zlib.error:
        raise InflateError("damaged") from None
    if len(out) > limit:
        raise InflateError("too long")
    if not stream.eof:
        raise InflateError("damaged")
    return out, len(data) - len(stream.unused_data)
