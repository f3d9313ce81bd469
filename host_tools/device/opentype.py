"""Gives an OpenType font a character map of simplified Chinese forms.

A pan-Chinese font draws one character in the forms of several countries and chooses among them by its
``locl`` feature, which only a shaping engine (raqm) applies; that engine needs a system library which a
fresh machine lacks. So the few tables that matter are read here and the choice is written into the font's
own character map: any renderer then draws the wanted forms. Tables as in the OpenType specification 1.9:
cmap, GSUB, Coverage.
"""

from __future__ import annotations

import struct

Tables = dict[bytes, tuple[int, int]]


class FontError(Exception):
    """The font lacks a table, script, language or format that is needed here."""


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _tables(font: bytes) -> Tables:
    """Offset and length of each table of a single font file."""
    if font[:4] not in (b"OTTO", b"\0\1\0\0"):
        raise FontError("not an OpenType font")
    found: Tables = {}
    for i in range(_u16(font, 4)):
        entry = 12 + 16 * i
        found[font[entry : entry + 4]] = (_u32(font, entry + 8), _u32(font, entry + 12))
    return found


def _glyphs(font: bytes, tables: Tables) -> dict[int, int]:
    """Character to glyph, from the cmap's format 12 subtable."""
    start = tables[b"cmap"][0]
    for i in range(_u16(font, start + 2)):
        at = start + _u32(font, start + 4 + 8 * i + 4)
        if _u16(font, at) == 12:
            glyphs = {}
            for group in range(_u32(font, at + 12)):
                first, last, glyph = struct.unpack_from(">III", font, at + 16 + 12 * group)
                for char in range(first, last + 1):
                    glyphs[char] = glyph + char - first
            return glyphs
    raise FontError("no character map of format 12")


def _tagged(data: bytes, at: int, tag: bytes) -> int:
    """Offset in a list of (tag, offset16) records that starts with its length."""
    for i in range(_u16(data, at)):
        record = at + 2 + 6 * i
        if data[record : record + 4] == tag:
            return _u16(data, record + 4)
    raise FontError(f"no {tag.decode()} in the font")


def _coverage(data: bytes, at: int) -> list[int]:
    """The glyphs of a Coverage table in order."""
    if _u16(data, at) == 1:
        return [_u16(data, at + 4 + 2 * i) for i in range(_u16(data, at + 2))]
    glyphs: list[int] = []
    for i in range(_u16(data, at + 2)):
        first, last, _ = struct.unpack_from(">HHH", data, at + 4 + 6 * i)
        glyphs.extend(range(first, last + 1))
    return glyphs


def _single(data: bytes, at: int) -> dict[int, int]:
    """Glyph to glyph of one SingleSubst subtable, also behind an Extension subtable."""
    glyphs = _coverage(data, at + _u16(data, at + 2))
    if _u16(data, at) == 1:
        return {glyph: (glyph + _u16(data, at + 4)) & 0xFFFF for glyph in glyphs}
    return {glyph: _u16(data, at + 6 + 2 * i) for i, glyph in enumerate(glyphs)}


def _local_forms(font: bytes, tables: Tables, script: bytes, language: bytes) -> dict[int, int]:
    """Glyph to glyph of the ``locl`` feature for a script and language."""
    gsub = tables[b"GSUB"][0]
    scripts, features, lookups = (gsub + _u16(font, gsub + at) for at in (4, 6, 8))
    where = scripts + _tagged(font, scripts, script)
    where += _tagged(font, where + 2, language)
    forms: dict[int, int] = {}
    for i in range(_u16(font, where + 4)):
        feature = features + 2 + 6 * _u16(font, where + 6 + 2 * i)
        if font[feature : feature + 4] != b"locl":
            continue
        table = features + _u16(font, feature + 4)
        for j in range(_u16(font, table + 2)):
            lookup = lookups + _u16(font, lookups + 2 + 2 * _u16(font, table + 4 + 2 * j))
            for k in range(_u16(font, lookup + 4)):
                kind, at = _u16(font, lookup), lookup + _u16(font, lookup + 6 + 2 * k)
                if kind == 7:
                    kind, at = _u16(font, at + 2), at + _u32(font, at + 4)
                if kind == 1:
                    forms.update(_single(font, at))
    return forms


def _cmap(glyphs: dict[int, int]) -> bytes:
    """A cmap table with one format 12 subtable."""
    groups: list[list[int]] = []
    for char, glyph in sorted(glyphs.items()):
        if groups and char == groups[-1][1] + 1 and glyph == groups[-1][2] + char - groups[-1][0]:
            groups[-1][1] = char
        else:
            groups.append([char, char, glyph])
    body = b"".join(struct.pack(">III", *group) for group in groups)
    return (
        struct.pack(">HHHHI", 0, 1, 3, 10, 12)
        + struct.pack(">HHIII", 12, 0, 16 + len(body), 0, len(groups))
        + body
    )


def simplified(font: bytes) -> tuple[bytes, set[int]]:
    """The font with simplified Chinese forms in its character map, and the characters it has.

    Raises FontError for a font without the tables or the language.
    """
    tables = _tables(font)
    if b"GSUB" not in tables or b"cmap" not in tables:
        raise FontError("the font has no GSUB or cmap table")
    forms = _local_forms(font, tables, b"hani", b"ZHS ")
    glyphs = {char: forms.get(glyph, glyph) for char, glyph in _glyphs(font, tables).items()}
    cmap = _cmap(glyphs)
    end = (len(font) + 3) // 4 * 4
    changed = bytearray(font.ljust(end, b"\0") + cmap)
    for i in range(_u16(font, 4)):
        entry = 12 + 16 * i
        if font[entry : entry + 4] == b"cmap":
            struct.pack_into(">II", changed, entry + 8, end, len(cmap))
    return bytes(changed), set(glyphs)
