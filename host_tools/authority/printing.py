"""What the authority prints: cards with paper codes, posters with the way to a code, codes for places."""

from __future__ import annotations

import datetime
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from firmware.core.place import PlaceCode, encode_place
from firmware.core.scene import Scene
from host_tools import pki
from host_tools.authority import paper, town
from host_tools.authority.fields import MAX_TEXT, PeopleTrouble, plain
from host_tools.authority.issue import Desk, Shown
from host_tools.authority.keys import Issuer
from host_tools.authority.paper import A3, A4, Page
from host_tools.authority.papers import Papers
from host_tools.authority.people import People

DAY_S = 86_400
CHINA = datetime.timezone(datetime.timedelta(hours=8))
#: Where nobody says where the code is to be had.
EXAMPLE_URL = "https://example.org/health-code"
PLACE_DAYS = 365
MAX_CARDS = 60
COLUMNS, ROWS = 2, 3
MARGIN_MM = 8.0
CARD_QR_MM = 62.0
GREEN = (0, 110, 58)
DARK = (24, 32, 40)
GREY = (90, 98, 106)
_URL = re.compile(r"https?://[!-~]{1,280}", re.ASCII)
FORMATS = {"a3": A3, "a4": A4}

STEPS = (
    ("扫描二维码，下载应用，实名注册", "Scan, install the app, register with your name"),
    ("申领健康码", "Apply for your health code"),
    ("进门亮码、测体温、戴口罩", "At the door: show the code, have your temperature taken, wear a mask"),
)
HELP = (
    (
        "老人、孩子可用同行人的健康码；没有手机，可申领纸质码。",
        "Children and the elderly pass on a companion's code.",
    ),
    ("", "Without a phone, ask for a printed code."),
)


@dataclass(frozen=True)
class Card:
    """One paper code and what stands beside it."""

    name: str
    id_tail: str
    companions: tuple[str, ...]
    shown: Shown


class Printer:
    """Prints paper codes of registered people, and remembers their numbers."""

    def __init__(self, people: People, papers: Papers, desk: Desk) -> None:
        self._people = people
        self._papers = papers
        self._desk = desk

    def cards(self, person_ids: Sequence[str], actor: str, now_unix: int) -> bytes:
        """A PDF with a card for each. Raises PeopleTrouble where one is unknown or has no code."""
        if not 1 <= len(person_ids) <= MAX_CARDS:
            raise PeopleTrouble(f"1 to {MAX_CARDS} persons at a time")
        cards = []
        for person_id in person_ids:
            holder = self._people.holder(person_id)
            if holder.trick in (town.Trick.EU, town.Trick.POSTER):
                raise PeopleTrouble(f"{person_id} has no health code of this authority")
            companions = tuple(companion.name for companion in holder.companions)
            shown = self._desk.paper(holder, now_unix)
            cards.append(Card(holder.name, holder.id_tail, companions, shown))
        made = cards_pdf(cards)
        for person_id, card in zip(person_ids, cards, strict=True):
            shown = card.shown
            self._papers.keep(person_id, shown.cti, shown.issued_unix, shown.expires_unix, actor)
        return made


def cards_pdf(cards: Sequence[Card]) -> bytes:
    """Sheets of A4 with six cards each, to cut along the lines."""
    pages = []
    per_page = COLUMNS * ROWS
    for start in range(0, len(cards), per_page):
        page = Page(A4, coloured=False)
        width, height = _card_size()
        for column in range(1, COLUMNS):
            x = MARGIN_MM + column * width
            page.cut(x, MARGIN_MM, x, A4.height_mm - MARGIN_MM)
        for row in range(1, ROWS):
            y = MARGIN_MM + row * height
            page.cut(MARGIN_MM, y, A4.width_mm - MARGIN_MM, y)
        for index, card in enumerate(cards[start : start + per_page]):
            row, column = divmod(index, COLUMNS)
            _card(page, MARGIN_MM + column * width, MARGIN_MM + row * height, card)
        pages.append(page)
    return paper.pdf(pages, "Yima: printed health codes")


def _card_size() -> tuple[float, float]:
    return (A4.width_mm - 2 * MARGIN_MM) / COLUMNS, (A4.height_mm - 2 * MARGIN_MM) / ROWS


def _card(page: Page, x: float, y: float, card: Card) -> None:
    """The code on the left, words on the right and below."""
    width, _ = _card_size()
    page.qr(x + 2, y + 3, CARD_QR_MM, card.shown.text)
    right, room = x + 2 + CARD_QR_MM, width - CARD_QR_MM - 6
    lines: list[tuple[str, float]] = [
        ("纸质健康码", 4.6),
        ("Printed health code", 2.6),
        ("", 2.0),
        (card.name, 6.0),
        ("证件号末四位", 2.8),
        ("last of ID number", 2.6),
        (card.id_tail or "—", 5.4),
        ("", 2.0),
        ("有效至 valid until", 2.8),
        (day(card.shown.expires_unix), 4.2),
        ("签发 issued", 2.8),
        (day(card.shown.issued_unix), 3.4),
    ]
    top = y + 5
    for text, size in lines:
        page.text(right, top, text, size, width_mm=room)
        top += size * 1.3
    top = y + CARD_QR_MM + 4
    if card.companions:
        page.text(x + 4, top, "同行 with " + "、".join(card.companions), 3.0, width_mm=width - 8)
    page.text(x + 4, top + 5, "查验时核对证件。遗失请报码号，即可作废。", 3.0, width_mm=width - 8)
    english = "Shown with the ID document. If lost, report this number to have it revoked:"
    page.text(x + 4, top + 9.5, english, 2.6, width_mm=width - 8)
    page.text(x + 4, top + 13.5, "码号 No. " + number(card.shown.cti), 3.0, width_mm=width - 8)


def poster_pdf(url: str = EXAMPLE_URL, size: str = "a4") -> bytes:
    """The slogan, how to get the code, and where. Raises PeopleTrouble for what is no http(s) address."""
    if not _URL.fullmatch(url):
        raise PeopleTrouble("the address must be http:// or https:// and at most 288 plain characters")
    form = FORMATS[size]
    page = Page(form, coloured=True)
    unit = form.width_mm / 210
    middle = form.width_mm / 2
    wide = form.width_mm - 24 * unit
    page.box(0, 0, form.width_mm, 74 * unit, GREEN)
    page.text(middle, 3 * unit, "一码通行", 38 * unit, paper.WHITE, "ma")
    page.text(middle, 55 * unit, "One code opens every door", 9 * unit, paper.WHITE, "ma")
    page.text(middle, 80 * unit, "请提前申领健康码", 13 * unit, DARK, "ma")
    page.text(middle, 97 * unit, "Get your health code before you come", 6 * unit, DARK, "ma")
    page.qr(middle - 50 * unit, 106 * unit, 100 * unit, url)
    page.text(middle, 207 * unit, url, 4.5 * unit, GREY, "ma", wide)
    top = 217 * unit
    for index, (chinese, english) in enumerate(STEPS, 1):
        page.box(14 * unit, top, 12 * unit, 12 * unit, GREEN)
        page.text(20 * unit, top + 6 * unit, str(index), 8 * unit, paper.WHITE, "mm")
        page.text(31 * unit, top, chinese, 7 * unit, DARK)
        page.text(31 * unit, top + 8.5 * unit, english, 3.8 * unit, GREY, width_mm=wide - 19 * unit)
        top += 17.5 * unit
    for chinese, english in HELP:
        if chinese:
            page.text(middle, top, chinese, 4.6 * unit, DARK, "ma", wide)
            top += 6.5 * unit
        page.text(middle, top, english, 3.6 * unit, GREY, "ma", wide)
        top += 4.6 * unit
    return paper.pdf([page], "一码通行 One code opens every door")


def place_text(
    issuer: Issuer, place: str, scene_id: str, now_unix: int, days: int = PLACE_DAYS
) -> tuple[str, int]:
    """A signed place code, and until when it is good: for `days`, but no longer than its key. Raises
    PeopleTrouble."""
    place = plain(place, "place", MAX_TEXT)
    if not place or len(place.encode()) > 96:
        raise PeopleTrouble("the place is empty or too long")
    if not 1 <= days <= 3_650:
        raise PeopleTrouble("a place code is good for 1 to 3650 days")
    expires_unix = min(now_unix + days * DAY_S, issuer.not_after_unix)
    code = PlaceCode(issuer.name, place, scene_id, now_unix, expires_unix, secrets.token_bytes(8))
    return encode_place(code, issuer.kid, pki.signer(issuer.key)), expires_unix


def place_pdf(text: str, place: str, scene: Scene, expires_unix: int) -> bytes:
    """A sheet for the wall: the code tells handhelds the place, the words tell people what happens here."""
    page = Page(A4, coloured=True)
    middle, wide = A4.width_mm / 2, A4.width_mm - 24
    page.box(0, 0, A4.width_mm, 62, GREEN)
    page.text(middle, 10, place, 24, paper.WHITE, "ma", wide)
    page.text(middle, 43, f"{scene.name_zh}  {scene.name_en}", 10, paper.WHITE, "ma", wide)
    page.text(
        middle,
        70,
        "请亮码 · 测体温 · 戴口罩" if scene.needs_code else "测体温 · 戴口罩",
        14,
        DARK,
        "ma",
        wide,
    )
    english = (
        "Your health code, please; temperature; mask" if scene.needs_code else "Temperature and mask, please"
    )
    page.text(middle, 90, english, 6, DARK, "ma", wide)
    page.qr(middle - 60, 102, 120, text)
    page.text(middle, 228, "查验员：用手持机扫描此码，设定场景和地点", 7, DARK, "ma", wide)
    page.text(
        middle, 239, "Checkers: scan this with the handheld to set scene and place", 5, GREY, "ma", wide
    )
    page.text(middle, 252, f"有效至 valid until {day(expires_unix)}", 5, GREY, "ma", wide)
    return paper.pdf([page], "Yima: place code")


def day(unix: int) -> str:
    """A day in China."""
    return datetime.datetime.fromtimestamp(unix, CHINA).strftime("%Y-%m-%d")


def number(cti: bytes) -> str:
    """The number of a code in groups that one can read out."""
    digits = cti.hex()
    return "-".join(digits[start : start + 4] for start in range(0, len(digits), 4))
