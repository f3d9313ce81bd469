"""What is printed: every QR code on every PDF is read again, at two resolutions, turned and blurred."""

from __future__ import annotations

import io
import struct

import base45
import cbor2
import pytest
import zxingcpp
from fleetkit import NOW
from officekit import DAY_S, Clock, id_number, open_authority, registration
from PIL import Image, ImageFilter, PdfParser

from firmware.core import codes, place, reasons, trust
from host_tools import cli, pki
from host_tools.authority import paper, printing
from host_tools.authority.default_scenes import default_scenes
from host_tools.authority.fields import PeopleTrouble

HEALTH = -65537
A4_MM, A3_MM = (210, 297), (297, 420)


@pytest.fixture
def authority(tmp_path):
    made = open_authority(tmp_path, Clock())
    yield made
    made.people.close()


def pages(pdf: bytes) -> list[tuple[Image.Image, tuple[float, float]]]:
    """The picture on each page of a PDF and the page's size in millimetres, by Pillow's PDF reader."""
    parser = PdfParser.PdfParser(buf=pdf)
    found = []
    for reference in parser.pages:
        page = parser.read_indirect(reference)
        (image,) = page[b"Resources"][b"XObject"].values()
        stream = parser.read_indirect(image)
        about = stream.dictionary
        width, height = about[b"Width"], about[b"Height"]
        if about[b"Filter"] == b"DCTDecode":
            picture = Image.open(io.BytesIO(stream.buf))
        else:
            # A TIFF file around the fax data: one strip of group 4, 0 is white as in the fax standard.
            fields = [(256, width), (257, height), (258, 1), (259, 4), (262, 1), (273, 110), (278, height)]
            fields.append((279, len(stream.buf)))
            entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
            head = struct.pack("<2sHIH", b"II", 42, 8, len(fields)) + entries + bytes(4)
            picture = Image.open(io.BytesIO(head.ljust(110, b"\0") + stream.buf))
        box = [float(value) for value in page[b"MediaBox"]]
        found.append((picture.convert("L"), (box[2] / 72 * 25.4, box[3] / 72 * 25.4)))
    return found


def read(picture: Image.Image) -> set[str]:
    return {code.text for code in zxingcpp.read_barcodes(picture)}


def as_scanned(picture: Image.Image, dpi: int, width_mm: float) -> Image.Image:
    """The page as a scanner or a camera sees it at this resolution."""
    width = round(width_mm / 25.4 * dpi)
    return picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.BILINEAR)


def assert_readable(picture: Image.Image, width_mm: float, texts: set[str]) -> None:
    for dpi in (150, 300):
        scanned = as_scanned(picture, dpi, width_mm)
        assert read(scanned) == texts, dpi
        turned = scanned.rotate(3, Image.Resampling.BILINEAR, expand=True, fillcolor=255)
        assert read(turned) == texts, dpi
        assert read(turned.filter(ImageFilter.GaussianBlur(dpi / 150))) == texts, dpi


def test_cards(authority):
    ids = ["teacher", "mother", "grandfather", "orange", "forger", "screenshot", "neighbour"]
    pdf = authority.printer.cards(ids, "test", NOW)
    sheets = pages(pdf)
    assert len(sheets) == 2
    texts: list[str] = []
    for picture, size in sheets:
        assert size == pytest.approx(A4_MM, abs=0.5)
        assert picture.getpixel((5, 5)) == 255 and picture.histogram()[0] < picture.width * picture.height / 4
        found = read(picture)
        assert_readable(picture, A4_MM[0], found)
        texts += found
    claims = {}
    for text in texts:
        message = cbor2.loads(base45.b45decode(text[4:])).value
        payload = cbor2.loads(message[2])
        claims[payload[2]] = payload
        # What a printer makes is as good as what the desk shows: the handheld's own check takes it.
        key = authority.keys.printed if payload[1] == "CN-FJ" else authority.keys.neighbour
        steps = codes.check_steps(text.encode(), trusting(key), NOW, pki.verify_steps)
        assert finish(steps).reason == reasons.OK
    people = {person.id: person for person in authority.town.people}
    assert set(claims) == {people[person_id].sub for person_id in ids}
    for person_id in ids:
        payload, person = claims[people[person_id].sub], people[person_id]
        assert (payload[6], payload[4]) == (NOW, NOW + 90 * DAY_S)
        health = payload[HEALTH]
        # No trick comes out of the printer.
        assert (health[1], health[2], health[3], health[9]) == (person.colour, person.name, 1, person.id_tail)
        (kept,) = authority.papers.of(person_id)
        assert kept.cti == payload[7] and kept.expires_unix == payload[4]


def trusting(issuer):
    key = trust.IssuerKey(
        issuer.kid, -7, issuer.public, issuer.name, NOW - 9 * DAY_S, NOW + DAY_S * 400, list(issuer.kinds)
    )

    class One:
        damaged = 0

        def find(self, kid):
            return [key] if kid == key.kid else []

    return One()


def finish(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_the_largest_card(authority):
    people = authority.people
    made = [
        people.add(registration(name="欧阳" + "明" * 14, id_number=id_number(number)), "test", NOW)
        for number in range(6)
    ]
    for person in made:
        people.set_groups(person.id, range(1, 9), None, "test", NOW)
        people.set_arrival(person.id, "黑龙江省牡丹江市绥芬河市", NOW - DAY_S, False, "test", NOW)
        for kind in (0, 1):
            authority.intake.enter(person.id, kind, 0, NOW - 600, "test", NOW)
        if person is not made[0]:
            people.add_companion(made[0].id, person.id, "test", NOW)
    ((picture, _),) = pages(authority.printer.cards([made[0].id], "test", NOW))
    (text,) = read(picture)
    assert len(text) > 1_000
    assert_readable(picture, A4_MM[0], {text})


def test_what_cannot_be_printed(authority):
    waiting = authority.people.add(registration(withheld=True), "test", NOW)
    for wrong in (["nobody"], ["teacher", "visitor"], ["poster"], [waiting.id], [], ["teacher"] * 61):
        with pytest.raises(PeopleTrouble):
            authority.printer.cards(wrong, "test", NOW)
    assert authority.papers.of("teacher") == [] and authority.papers.of("visitor") == []


def test_a_worse_colour_ends_printed_codes(authority):
    authority.people.add_companion("nurse", "child", "test", NOW)
    authority.printer.cards(["teacher", "nurse", "mother"], "test", NOW)
    authority.set_colour("teacher", 2, "test")
    ended = {"teacher"}
    assert {p for p in ("teacher", "nurse", "mother") if authority.papers.of(p)[0].revoked_unix} == ended
    # The child is on both phones' codes.
    authority.set_colour("child", 3, "test")
    ended |= {"nurse", "mother"}
    assert {p for p in ("teacher", "nurse", "mother") if authority.papers.of(p)[0].revoked_unix} == ended
    revoked = {entry.identity for entry in authority.packs.revocations.all()}
    assert revoked == {authority.papers.of(p)[0].cti for p in ended}
    authority.printer.cards(["teacher"], "test", NOW)
    authority.set_colour("teacher", 0, "test")
    # Becoming green again ends nothing.
    (fresh,) = [paper for paper in authority.papers.of("teacher") if paper.revoked_unix is None]
    authority.papers.revoke(fresh.cti, "test", NOW)
    for wrong in (fresh.cti, bytes(8), b""):
        with pytest.raises(PeopleTrouble):
            authority.papers.revoke(wrong, "test", NOW)


@pytest.mark.parametrize(("size", "mm"), [("a4", A4_MM), ("a3", A3_MM)])
def test_posters(size, mm):
    url = "https://health.example/get?app=yima&lang=zh"
    ((picture, page_mm),) = pages(printing.poster_pdf(url, size))
    assert page_mm == pytest.approx(mm, abs=0.5)
    assert_readable(picture, mm[0], {url})
    # From across the room: a photo in which the whole poster is 400 pixels wide.
    assert read(picture.resize((400, 566))) == {url}


@pytest.mark.parametrize(
    "url", ["", "health.example", "javascript:alert(1)", "https://a b", "https://" + "x" * 300]
)
def test_addresses_that_no_poster_shows(url):
    with pytest.raises(PeopleTrouble):
        printing.poster_pdf(url)


def test_place_codes(authority):
    scene = next(scene for scene in default_scenes() if scene.id == "registered_venue")
    text, expires_unix = printing.place_text(authority.keys.place, "龙岩市图书馆", scene.id, NOW, 30)
    assert expires_unix == NOW + 30 * DAY_S
    ((picture, _),) = pages(printing.place_pdf(text, "龙岩市图书馆", scene, expires_unix))
    assert_readable(picture, A4_MM[0], {text})
    keys = trusting(authority.keys.place)
    found, reason = finish(place.check_place_steps(text.encode(), keys, NOW + 60, pki.verify_steps))
    assert reason == reasons.OK
    assert (found.place, found.scene) == ("龙岩市图书馆", "registered_venue")
    later = place.check_place_steps(text.encode(), keys, expires_unix + DAY_S, pki.verify_steps)
    assert finish(later)[1] != reasons.OK
    # The key on the wall signs no people.
    wrong = finish(codes.check_steps(text.encode(), keys, NOW, pki.verify_steps))
    assert wrong.reason == reasons.NOT_A_CODE
    for name, days in (("", 3), ("长" * 33, 3), ("图书馆", 0), ("图书馆", 4_000)):
        with pytest.raises(PeopleTrouble):
            printing.place_text(authority.keys.place, name, scene.id, NOW, days)


def test_a_code_too_large_for_its_place():
    with pytest.raises(ValueError, match="too large"):
        paper.Page(paper.A3, coloured=False).qr(0, 0, 10, "x" * 1_000)


def test_on_the_command_line(capsys, tmp_path):
    state = ["--state", str(tmp_path / "state")]
    open_authority(tmp_path / "state", Clock())
    cards, poster, wall = (tmp_path / f"{name}.pdf" for name in ("cards", "poster", "wall"))
    assert cli.main(["authority", "print", "teacher", "nurse", str(cards), *state]) == 0
    assert len(read(pages(cards.read_bytes())[0][0])) == 2 and cards.stat().st_mode & 0o077 == 0
    assert cli.main(["authority", "poster", str(poster), *state]) == 0
    assert printing.EXAMPLE_URL in capsys.readouterr().err
    assert cli.main(["authority", "poster", str(poster), "--url", "https://a.example/", *state]) == 0
    assert read(pages(poster.read_bytes())[0][0]) == {"https://a.example/"}
    capsys.readouterr()
    assert cli.main(["authority", "place", "3路公交车", "transit", str(wall), *state]) == 0
    assert read(pages(wall.read_bytes())[0][0]) == {capsys.readouterr().out.strip()}
    assert cli.main(["authority", "print", "nobody", str(cards), *state]) == 2
    assert cli.main(["authority", "poster", str(poster), "--url", "ftp://x", *state]) == 2
