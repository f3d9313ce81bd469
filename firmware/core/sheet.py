"""A file as a sheet of QR pictures: split into frames that may be scanned in any order, and more than once.

A frame's text is "YS1:" followed by base45 of, all integers big-endian (docs/formats.md)::

    set id (4) = SHA-256 of the file, its beginning | index u16 | count u16 | file's length u32
    | piece (1 to 600) | CRC-32 of all before u32

All pieces but the last are equally long, so a piece's place in the file follows from its own frame.
"""

import binascii
import struct

from firmware.core import base45
from firmware.core.errors import CoreError
from firmware.core.hmac256 import sha256

PREFIX = b"YS1:"
MAX_PIECE = 600
MAX_FRAMES = 128
MAX_BYTES = 76_800
_HEAD = 12
_CRC = 4
# Base45 takes three characters for two bytes.
_MAX_TEXT = 4 + (_HEAD + MAX_PIECE + _CRC) // 2 * 3 + 2


class SheetError(CoreError):
    """A text that is no frame, or data that makes no sheet."""


def encode_frames(data: bytes, piece_bytes: int = MAX_PIECE) -> "list[str]":
    """The frames' texts of a file; raises SheetError if it is empty or too long for one sheet."""
    if not 1 <= piece_bytes <= MAX_PIECE:
        raise SheetError("size of pieces")
    count = (len(data) + piece_bytes - 1) // piece_bytes
    if not 1 <= count <= MAX_FRAMES:
        raise SheetError("too long for a sheet" if data else "nothing to print")
    set_id = sha256(data)[:4]
    texts = []
    for index in range(count):
        piece = data[index * piece_bytes : (index + 1) * piece_bytes]
        frame = set_id + struct.pack(">HHI", index, count, len(data)) + piece
        frame += struct.pack(">I", binascii.crc32(frame))
        texts.append("YS1:" + base45.encode(frame))
    return texts


def parse_frame(text: bytes) -> "tuple[bytes, int, int, bytes]":
    """Read a frame's text: what names the sheet (set id, count, length, size of pieces), index, count, piece.

    Raises SheetError.
    """
    if text[:4] != PREFIX or len(text) > _MAX_TEXT:
        raise SheetError("no frame")
    try:
        data = base45.decode(memoryview(text)[4:])
    except base45.Base45Error:
        raise SheetError("damaged") from None
    size = len(data) - _HEAD - _CRC
    if not 1 <= size <= MAX_PIECE or binascii.crc32(data[:-_CRC]) != struct.unpack(">I", data[-_CRC:])[0]:
        raise SheetError("damaged")
    index, count, length = struct.unpack(">HHI", data[4:_HEAD])
    if index >= count or count > MAX_FRAMES:
        raise SheetError("frame number")
    # The last piece may be short: where it begins tells how long the others are.
    piece_bytes = size
    if index and index == count - 1:
        piece_bytes = (length - size) // index
        if piece_bytes * index != length - size:
            raise SheetError("length")
    if not (count - 1) * piece_bytes < length <= count * piece_bytes or piece_bytes > MAX_PIECE:
        raise SheetError("length")
    if size != min(piece_bytes, length - index * piece_bytes):
        raise SheetError("length")
    return data[:4] + data[6:_HEAD] + struct.pack(">H", piece_bytes), index, count, data[_HEAD:-_CRC]
