"""A pack as sheets of paper: QR pictures that a handheld without network scans in any order."""

from __future__ import annotations

from collections.abc import Sequence

from firmware.core.errors import CoreError
from firmware.core.sheet import encode_frames
from host_tools.authority import paper
from host_tools.authority.paper import A4, Page
from host_tools.packfile import PackTrouble

COLUMNS, ROWS = 2, 3
PER_PAGE = COLUMNS * ROWS
MARGIN_MM = 12.0
HEAD_MM = 16.0
CODE_MM = 77.0
LABEL_MM = 5.0


def sheet_pages(package: bytes, title: str) -> list[Page]:
    """A4 pages with the frames of a package file, labelled "3/12". Raises PackTrouble."""
    try:
        frames = encode_frames(package)
    except CoreError as e:
        raise PackTrouble(
            f"{len(package)} bytes are more than a sheet takes ({e}): choose parts by --only, "
            "or carry them over by `yima pack file`"
        ) from e
    return [_page(frames, start, title) for start in range(0, len(frames), PER_PAGE)]


def sheet_pdf(package: bytes, title: str) -> bytes:
    """The same as a PDF."""
    return paper.pdf(sheet_pages(package, title), title)


def _page(frames: Sequence[str], start: int, title: str) -> Page:
    page = Page(A4, coloured=False)
    width = (A4.width_mm - 2 * MARGIN_MM) / COLUMNS
    height = (A4.height_mm - 2 * MARGIN_MM - HEAD_MM) / ROWS
    page.text(MARGIN_MM, MARGIN_MM, title, 5.0, width_mm=A4.width_mm - 2 * MARGIN_MM)
    page.text(
        MARGIN_MM,
        MARGIN_MM + 7.5,
        "逐个扫描，顺序不限，可重复。 Scan each, in any order; twice does no harm.",
        3.6,
        width_mm=A4.width_mm - 2 * MARGIN_MM,
    )
    for place, text in enumerate(frames[start : start + PER_PAGE]):
        row, column = divmod(place, COLUMNS)
        left = MARGIN_MM + column * width + (width - CODE_MM) / 2
        top = MARGIN_MM + HEAD_MM + row * height
        page.qr(left, top, CODE_MM, text)
        label = f"{start + place + 1}/{len(frames)}"
        page.text(left + CODE_MM / 2, top + CODE_MM - 1.0, label, LABEL_MM, anchor="ma")
    return page
