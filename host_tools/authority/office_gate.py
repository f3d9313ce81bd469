"""Who may use the authority's office pages: a password, a session, and a token in every form.

The password is made at first start and lies beside the keys, readable by their owner only.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request, Response

from host_tools.files import create_private
from host_tools.web import BodyError, read_body

PASSWORD_FILE = "office.password"  # noqa: S105 - the name of the file
SESSION_S = 8 * 3_600
MAX_SESSIONS = 64
#: Wrong passwords within WINDOW_S after which no more are looked at.
MAX_WRONG = 10
WINDOW_S = 60
MAX_FORM_BYTES = 65_536
MAX_FIELDS = 128
FORM_TYPE = "application/x-www-form-urlencoded"


class LoginNeeded(Exception):
    """The request belongs to no session."""


def load_or_create_password(folder: Path) -> str:
    """The office's password, made on first use."""
    return create_private(folder / PASSWORD_FILE, secrets.token_urlsafe(18).encode()).decode().strip()


@dataclass(frozen=True)
class Session:
    """Somebody who is logged in; `csrf` is what their forms must carry."""

    csrf: str
    ends_s: float


class Form:
    """The fields of a form, each present at most as often as its page has it."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def get(self, name: str) -> str:
        """The field's text without outer blanks, "" where it is missing."""
        return next((value.strip() for key, value in self._fields if key == name), "")

    def all(self, name: str) -> list[str]:
        """All values of a field of several, such as checkboxes."""
        return [value for key, value in self._fields if key == name]


class Gate:
    """Sessions of one office, in memory: a restart logs everybody out."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._password = load_or_create_password(folder).encode()
        self._clock = clock
        self._sessions: dict[bytes, Session] = {}
        self._wrong: list[float] = []
        # Browsers keep cookies per host name, not per port: two offices on one machine must not share one.
        label = hmac.new(self._password, b"yima office cookie", hashlib.sha256).hexdigest()
        self.cookie = f"yima_office_{label[:8]}"

    def login(self, password: str, response: Response) -> bool:
        """Start a session where the password is right. Raises BodyError 429 after many wrong ones."""
        now = self._clock()
        self._wrong = [then for then in self._wrong if now - then < WINDOW_S]
        if len(self._wrong) >= MAX_WRONG:
            raise BodyError(429, "too many wrong passwords; wait a minute")
        if not hmac.compare_digest(password.encode("utf-8", "replace"), self._password):
            self._wrong.append(now)
            return False
        self._sessions = {key: one for key, one in self._sessions.items() if one.ends_s > now}
        while len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        ticket = secrets.token_urlsafe(32)
        self._sessions[_hash(ticket)] = Session(secrets.token_urlsafe(32), now + SESSION_S)
        response.set_cookie(
            self.cookie, ticket, max_age=SESSION_S, httponly=True, samesite="strict", path="/office"
        )
        return True

    def logout(self, request: Request, response: Response) -> None:
        """End the request's session."""
        self._sessions.pop(_hash(request.cookies.get(self.cookie, "")), None)
        response.delete_cookie(self.cookie, path="/office")

    def session(self, request: Request) -> Session:
        """The request's session. Raises LoginNeeded."""
        found = self._sessions.get(_hash(request.cookies.get(self.cookie, "")))
        if found is None or found.ends_s <= self._clock():
            raise LoginNeeded
        return found

    async def form(self, request: Request) -> Form:
        """A form that one of our own pages sent within a session. Raises LoginNeeded, BodyError."""
        session = self.session(request)
        form = await read_form(request)
        if not hmac.compare_digest(form.get("csrf").encode(), session.csrf.encode()):
            raise BodyError(403, "the form is not of this session; load the page again")
        return form


async def read_form(request: Request) -> Form:
    """The fields of a posted form, from a page of this very host. Raises BodyError."""
    origin = request.headers.get("origin")
    # Browsers say "null" under our referrer policy for some navigations; the token decides then.
    if origin not in (None, "null") and urlsplit(origin).netloc != request.headers.get("host"):
        raise BodyError(403, "the form comes from another site")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise BodyError(415, f"{FORM_TYPE} is needed")
    data = await read_body(request, MAX_FORM_BYTES)
    try:
        fields = parse_qsl(
            data.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError as e:
        raise BodyError(400, "the form cannot be read") from e
    return Form(fields)


def _hash(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode("utf-8", "replace")).digest()
