"""From a picture to the bytes of the codes in it: the part of the module that is optics and image
processing."""

from __future__ import annotations

import io
import warnings

import zxingcpp
from PIL import Image, UnidentifiedImageError

MAX_BYTES = 8 << 20
MAX_PIXELS = 24_000_000
_LARGE = 2600
"""Longest side that is looked at; a phone's photograph is made smaller first."""


class PictureError(ValueError):
    """Not a picture, or one too large."""


def decode(data: bytes) -> list[bytes]:
    """The payload of each QR code found. Raises PictureError."""
    return read(opened(data).convert("L"))


def opened(data: bytes) -> Image.Image:
    """A picture from outside, on white where it lets light through. Raises PictureError."""
    if len(data) > MAX_BYTES:
        raise PictureError("the picture is larger than 8 MB")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            raw = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "GIF", "BMP"))
            if raw.width * raw.height > MAX_PIXELS:
                raise PictureError("the picture has too many pixels")
            raw.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombWarning) as e:
        raise e if isinstance(e, PictureError) else PictureError("this is not a PNG or JPEG picture") from e
    picture: Image.Image = raw
    if picture.mode in ("RGBA", "LA", "P", "PA"):
        layer = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return picture


def read(grey: Image.Image) -> list[bytes]:
    """The payload of each QR code in a grey picture."""
    grey.thumbnail((_LARGE, _LARGE))
    found = zxingcpp.read_barcodes(grey, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    return [bytes(code.bytes) for code in found if code.valid]
