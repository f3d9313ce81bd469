"""Fonts, pictures and texts for the handheld: against the shaping engine, and against their own
description."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from conftest import need
from PIL import ImageFont, features

from host_tools.device import assets, opentype, shapes


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("assets")
    assets.build(folder)
    return folder


def gb2312() -> list[str]:
    chars = []
    for row in range(0xB0, 0xF8):
        for cell in range(0xA1, 0xFF):
            try:
                chars.append(bytes((row, cell)).decode("gb2312"))
            except UnicodeDecodeError:
                continue
    return chars


def test_forms_are_those_that_the_shaping_engine_chooses() -> None:
    need(features.check("raqm"), 1, "Pillow finds no raqm here")
    path = assets.font_path()
    data, _ = opentype.simplified(path.read_bytes())
    face = assets.Face(data, 24)
    oracle = ImageFont.truetype(str(path), 24, layout_engine=ImageFont.Layout.RAQM)
    changed = 0
    for char in gb2312()[::7] + list("骨直过复角今令化门户海Ag1"):
        wanted = oracle.getmask(char, language="zh-Hans", features=["locl"])
        assert bytes(face._font.getmask(char)) == bytes(wanted), char
        changed += bytes(wanted) != bytes(oracle.getmask(char))
    assert changed > 100, "the test proves nothing where no form differs"


def test_a_file_that_is_no_such_font_is_refused() -> None:
    for data in (b"", b"OTTO" + bytes(8), b"\x89PNG" + bytes(100)):
        with pytest.raises(opentype.FontError):
            opentype.simplified(data)


def glyph(data: bytes, char: str) -> tuple[int, bytes]:
    """Number and record of a character's glyph, read as the file's description says."""
    size = data[3]
    table, start = data[8:264], 264 + 512 * max(data[8:264])
    page = table[ord(char) >> 8]
    number = struct.unpack_from(">H", data, 264 + 512 * (page - 1) + 2 * (ord(char) & 255))[0] if page else 0
    length = size * size // 4 + 4
    return number, data[start + number * length : start + (number + 1) * length]


@pytest.mark.parametrize("size", [16, 24])
def test_every_character_of_gb2312_and_latin_1_has_a_glyph(made: Path, size: int) -> None:
    data = (made / f"text{size}.bin").read_bytes()
    count = struct.unpack_from(">H", data, 4)[0]
    assert data[:4] == b"YF1" + bytes((size,))
    assert len(data) == 264 + 512 * max(data[8:264]) + count * (size * size // 4 + 4)
    printable = [chr(c) for c in (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x180))]
    numbers = {}
    for char in gb2312() + printable:
        number, record = glyph(data, char)
        assert 0 < number < count, char
        assert any(record[:-4]), f"nothing is drawn for {char}"
        advance, left, top = struct.unpack(">bbb", record[-4:-1])
        assert 0 < advance <= size and -size < left <= 0 and 0 <= top <= data[6] - size, char
        numbers[char] = number
    hanzi = [numbers[char] for char in gb2312()]
    assert len(set(hanzi)) == len(hanzi) == 6763
    assert glyph(data, "\u0e01")[0] == 0


def test_the_same_inputs_give_the_same_bytes() -> None:
    data, known = opentype.simplified(assets.font_path().read_bytes())
    chars = assets.text_chars(known)[::40]
    assert assets.font_file(data, 16, chars) == assets.font_file(data, 16, chars)
    assert assets.picture_file(data) == assets.picture_file(data)


def test_pictures_lie_where_the_index_says(made: Path) -> None:
    data = (made / "pictures.bin").read_bytes()
    assert data[:3] == b"YP1"
    end = 4 + 24 * data[3]
    names = []
    for i in range(data[3]):
        name, bits, width, height, offset = struct.unpack_from(">15sBHHI", data, 4 + 24 * i)
        per_byte = 8 // bits
        assert offset == end and width <= 240
        end += (width + per_byte - 1) // per_byte * height
        names.append(name.rstrip(b"\0").decode())
    assert end == len(data)
    assert {"pass", "stop_32", "attention_40", "pass_zh", "stop_en", "digit_7", "digit_X"} <= set(names)


def test_shapes_differ_without_colour() -> None:
    made = shapes.draw_all()
    for a, b in (("pass", "stop"), ("pass", "attention"), ("stop", "attention")):
        pairs = zip(made[a][0], made[b][0], strict=True)
        assert sum(x != y for x, y in pairs) > 0.15 * len(made[a][0]), (a, b)


def test_texts_are_refused_where_they_cannot_be_stored() -> None:
    good = "a|一|one\n# remark\n\nb|二|two\n"
    assert assets.text_file(good)[:6] == b"YT1\0\0\2"
    for bad in ("a|一\n", "a|b|c|d\n", "a|" + "x" * 300 + "|y\n", "a|一|one\na|二|two\n"):
        with pytest.raises(ValueError):
            assets.text_file(bad)


def test_a_second_build_is_a_copy(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> bytes:
        raise AssertionError("drawn again")

    monkeypatch.setattr(assets, "font_file", never)
    paths = assets.build(tmp_path / "again")
    assert [path.name for path in paths] == list(assets.FILES)
    for path in paths:
        assert path.read_bytes() == (made / path.name).read_bytes()
