"""QR pictures of codes: level M, alphanumeric wherever the text allows it."""

from __future__ import annotations

import io

import segno

#: Pixels per module: a GM65 reads it from a phone's screen, and a simulated camera decodes it at once.
SCALE = 6
BORDER = 4


def _qr(text: str) -> segno.QRCode:
    return segno.make_qr(text, error="m", boost_error=False)


def png(text: str) -> bytes:
    """The picture of `text` as PNG."""
    buffer = io.BytesIO()
    _qr(text).save(buffer, kind="png", scale=SCALE, border=BORDER)
    return buffer.getvalue()


def svg(text: str) -> str:
    """The picture of `text` as a complete SVG document that scales with its frame."""
    buffer = io.BytesIO()
    _qr(text).save(buffer, kind="svg", border=BORDER, xmldecl=False, omitsize=True, nl=False)
    return buffer.getvalue().decode()


def svg_data_uri(text: str) -> str:
    """The same for the ``src`` of an image."""
    return str(_qr(text).svg_data_uri(border=BORDER, omitsize=True))


def version(text: str) -> int:
    """The QR version (size) that `text` takes."""
    return int(_qr(text).version)


def modules(text: str) -> list[bytes]:
    """The rows of the picture without its border, one byte per module, 1 for dark."""
    return [bytes(int(bool(module)) for module in row) for row in _qr(text).matrix]
