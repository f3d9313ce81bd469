"""The authority's web face: the town, wallets, what fleet servers fetch; intakes and office join in.

The town and its wallets are open to everybody, for all of it is invented; wallets of registered persons have
addresses that nobody guesses.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Response
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse

from host_tools import clockpage
from host_tools.authority import grants, office, pictures, results
from host_tools.authority.fields import PeopleTrouble
from host_tools.authority.foreign import ForeignIssuer
from host_tools.authority.grants import Grants
from host_tools.authority.issue import Desk, Shown
from host_tools.authority.keys import Keys
from host_tools.authority.lists import Lists
from host_tools.authority.packs import PackBook, UnknownRoot
from host_tools.authority.papers import Papers
from host_tools.authority.parties import Parties
from host_tools.authority.people import People, Townspeople
from host_tools.authority.printing import Printer
from host_tools.authority.results import Intake
from host_tools.authority.revocations import Revoked
from host_tools.authority.town import GREEN, Medium, Person, Trick
from host_tools.authority.trust import Certificates
from host_tools.state import State
from host_tools.web import Pages, answer_when_storage_fails, create_app

PAGES = Path(__file__).resolve().parents[1] / "pages"
TITLES = (
    ("绿码 可通行", "Green code", "green"),
    ("黄码", "Yellow code", "yellow"),
    ("橙码 居家观察", "Orange code", "orange"),
    ("红码", "Red code", "red"),
)
OTHER_TITLE = ("二维码", "QR code", "plain")
TEST_WORDS = (
    ("核酸阴性", "negative"),
    ("核酸阳性", "positive"),
    ("核酸结果未出", "result pending"),
)
RENEW_S = 60

MediumName = Annotated[str | None, Query(pattern="^(live|paper)$")]


class Authority:
    """Keys, register, town, desk and packs of one state folder."""

    def __init__(self, state: State, clock: Callable[[], float] = clockpage.now) -> None:
        self._clock = clock
        self.folder = state.authority
        self.keys = Keys(state.authority, self.now_unix())
        self.foreign = ForeignIssuer(state.authority / "foreign", self.keys.passphrases)
        self.people = People(state.authority, self.now_unix())
        self.town = Townspeople(self.people)
        self.desk = Desk(self.keys, self.foreign)
        self.certificates = Certificates(state.authority / "trust")
        self.packs = PackBook(state.authority / "pack", self.keys, self.certificates)
        self.papers = Papers(self.people, self.packs.revocations)
        self.parties = Parties(self.people)
        self.intake = Intake(self.people, self.papers)
        self.grants = Grants(self.people)
        self.lists = Lists(self.people)
        self.printer = Printer(self.people, self.papers, self.desk)

    def now_unix(self) -> int:
        """The time, whole seconds."""
        return int(self._clock())

    def set_colour(self, person_id: str, colour: int, actor: str) -> None:
        """Give a person another colour; unless it is green, their printed codes end. Raises PeopleTrouble."""
        now_unix = self.now_unix()
        self.people.set_colour(person_id, colour, actor, now_unix)
        if colour != GREEN:
            self.papers.withdraw([person_id], actor, now_unix)

    def set_interval(self, group: int, days: int, actor: str) -> None:
        """Set the days between tests of a key group, here and in the rules of packs. Raises PeopleTrouble."""
        self.people.set_interval(group, days, actor, self.now_unix())
        self.packs.keep_intervals(self.people.intervals())

    def remove(self, person_id: str, actor: str) -> None:
        """Forget a person; codes that are out under their pseudonym end. Raises PeopleTrouble."""
        now_unix = self.now_unix()
        sub = self.people.get(person_id).sub
        self.packs.revocations.add([Revoked("subject", sub)], now_unix)
        self.people.remove(person_id, actor, now_unix)

    def show(self, person: Person, medium: str | None) -> Shown:
        """What `person` shows now on the medium named "live" or "paper", or on what the person has."""
        wanted = None if medium is None else Medium[medium.upper()]
        return self.desk.show(person, self.now_unix(), wanted)


def make_app(authority: Authority) -> FastAPI:
    """The application over `authority`."""
    app = create_app("Yima authority", static=PAGES / "static")
    answer_when_storage_fails(app)
    pages = Pages(PAGES)

    def find(wallet: str) -> Person:
        """The holder of a wallet, its address for an id. Raises 404, or 403 while the code is withheld."""
        row = authority.people.of_wallet(wallet)
        if row is None:
            raise HTTPException(404, "nobody has this wallet")
        try:
            return replace(authority.people.holder(row.id), id=wallet)
        except PeopleTrouble as e:
            raise HTTPException(403, str(e)) from e

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def town_page() -> HTMLResponse:
        people = [{**summary(p), "title": _title(p)} for p in authority.town.people]
        return pages.page("town.html", people=people)

    @app.get("/wallet/{person_id}", response_class=HTMLResponse, include_in_schema=False)
    def wallet_page(person_id: str, medium: MediumName = None) -> HTMLResponse:
        try:
            person = find(person_id)
        except HTTPException as e:
            if e.status_code != 403:
                raise
            return HTMLResponse(pages.text("wallet_wait.html"), 403)
        return pages.page(
            "wallet.html",
            person=summary(person),
            title=_title(person),
            test=_test_words(person, authority.now_unix()),
            code=_code(authority.show(person, medium), picture=False),
            medium=medium,
        )

    @app.get("/api/people")
    def people() -> list[dict[str, object]]:
        return [summary(person) for person in authority.town.people]

    @app.get("/api/people/{person_id}/code")
    def code(person_id: str, medium: MediumName = None) -> dict[str, object]:
        return _code(authority.show(find(person_id), medium), picture=True)

    @app.get("/api/people/{person_id}/code.png")
    def code_png(person_id: str, medium: MediumName = None) -> Response:
        return Response(pictures.png(authority.show(find(person_id), medium).text), media_type="image/png")

    @app.get("/pack")
    def manifest(root: Annotated[str | None, Query(pattern="^[0-9a-f]{16}$")] = None) -> Response:
        kid = None if root is None else bytes.fromhex(root)
        try:
            data = authority.packs.manifest(authority.now_unix(), kid)
        except UnknownRoot as e:
            raise HTTPException(404, str(e)) from e
        return Response(data, media_type="application/cose")

    @app.get("/pack/part/{digest}")
    def part(digest: Annotated[str, PathParameter(pattern="^[0-9a-f]{64}$")]) -> Response:
        data = authority.packs.part(bytes.fromhex(digest))
        if data is None:
            raise HTTPException(404, "no pack names this part")
        return Response(data, media_type="application/octet-stream")

    app.include_router(results.router(authority.intake, authority.parties, authority.now_unix))
    app.include_router(grants.router(authority.grants, authority.parties, authority.now_unix))
    office.install(app, authority, pages)
    return app


def summary(person: Person) -> dict[str, object]:
    """What the lists tell of a person: no pseudonym, no ID number."""
    return {
        "id": person.id,
        "name": person.name,
        "note_zh": person.note_zh,
        "note_en": person.note_en,
        "colour": _title(person)[2],
        "media": [medium.name.lower() for medium in person.media],
        "companions": [
            {"name": c.name, "note_zh": c.note_zh, "note_en": c.note_en} for c in person.companions
        ],
    }


def _code(shown: Shown, picture: bool) -> dict[str, object]:
    """A code as JSON: text, times (0 where it has none), picture, and how long the wallet shows it."""
    answer: dict[str, object] = {
        "text": shown.text,
        "medium": shown.medium.name.lower(),
        "issued_unix": shown.issued_unix,
        "expires_unix": shown.expires_unix,
        "renew_s": RENEW_S,
        "svg": pictures.svg_data_uri(shown.text),
    }
    if picture:
        answer["png_base64"] = base64.b64encode(pictures.png(shown.text)).decode()
    return answer


def _title(person: Person) -> tuple[str, str, str]:
    """The banner's words in both languages, and its colour. A forged code claims to be green."""
    if person.trick in (Trick.EU, Trick.POSTER):
        return OTHER_TITLE
    return TITLES[0] if person.trick is Trick.FORGED else TITLES[person.colour]


def _test_words(person: Person, now_unix: int) -> tuple[str, str] | None:
    if person.test is None:
        return None
    zh, en = TEST_WORDS[person.test.result]
    days = max(0, now_unix - person.test.taken(now_unix)) // 86_400
    return f"{zh} {days}天前" if days else f"{zh} 今日", f"{en}, {days} d ago" if days else f"{en}, today"
