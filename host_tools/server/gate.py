"""Lets people into the console: by account and session, or by the console key as first administrator."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from fastapi import HTTPException, Request, Response

from host_tools import clockpage
from host_tools.authority.office_gate import Form, read_form
from host_tools.server.accounts import KEY_NAME, SESSION_S, Accounts, Principal, same
from host_tools.server.limits import Limiter
from host_tools.web import BodyError

COOKIE_DAYS = 30
#: Requests of one person or address: so many at once, and so many a second.
BURST, PER_S = 500, 50.0
#: Attempts to log in.
LOGIN_BURST, LOGIN_PER_S = 8, 0.1


class Gate:
    """Knows who asks. `key` is the console key; `port` names the cookies."""

    def __init__(
        self, accounts: Accounts, key: str, port: int, clock: Callable[[], float] = clockpage.now
    ) -> None:
        self.accounts = accounts
        self._key = key.encode()
        self._clock = clock
        # Browsers keep cookies per host name, not per port: two servers on one machine must not share one.
        self.cookie = f"yima_console_{port}"
        self.session_cookie = f"yima_session_{port}"
        self._ticket = hmac.new(self._key, b"yima console cookie", hashlib.sha256).hexdigest()
        csrf = hmac.new(self._key, b"yima console form", hashlib.sha256).hexdigest()
        self._key_holder = Principal(KEY_NAME, "city", "", csrf)
        self._requests = Limiter(PER_S, BURST)
        self._logins = Limiter(LOGIN_PER_S, LOGIN_BURST)

    def is_key(self, given: str) -> bool:
        """Whether this is the console key."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._key)

    def who(self, request: Request) -> Principal:
        """Who asks. Raises 401 for a stranger, 429 for somebody who asks too often."""
        if any("\0" in value for value in request.query_params.values()):
            # PostgreSQL has no place for it.
            raise HTTPException(400, "a character of number zero")
        found = self._who(request)
        if found is None:
            raise HTTPException(
                401, "log in, or open the address with the console key that `yima run` printed"
            )
        if not self._requests.allows(found.name):
            raise HTTPException(429, "too many requests")
        return found

    def _who(self, request: Request) -> Principal | None:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_key(value.strip()):
            return self._key_holder
        if same(request.cookies.get(self.cookie, ""), self._ticket):
            return self._key_holder
        ticket = request.cookies.get(self.session_cookie)
        return self.accounts.of_ticket(ticket, int(self._clock())) if ticket else None

    def needs(self, what: str) -> Callable[[Request], Principal]:
        """A dependency: who asks, if they may. Raises 401, 403, 429."""

        def check(request: Request) -> Principal:
            found = self.who(request)
            if not found.may(what):
                raise HTTPException(403, "this role may not do that")
            return found

        return check

    def reads(self, what: str) -> Callable[[Request], Principal]:
        """The same for pages with personal data: the audit log tells who read which."""
        needs = self.needs(what)

        def check(request: Request) -> Principal:
            found = needs(request)
            asked = [f"{k}={v}" for k, v in request.query_params.items() if k != "key"]
            self.note(found, "read", " ".join([request.url.path, *asked]))
            return found

        return check

    def note(self, who: Principal, action: str, detail: str) -> None:
        """Add a line to the audit log."""
        self.accounts.note(who, action, detail, int(self._clock()))

    def admit_key(self, response: Response) -> None:
        """Give the browser of who came with the console key its cookie."""
        self._set(response, self.cookie, self._ticket, COOKIE_DAYS * 86_400)

    def login(self, name: str, password: str, host: str, response: Response) -> bool:
        """Start a session where name and password are right. Raises BodyError 429 after many attempts."""
        if not (self._logins.allows("host " + host) and self._logins.allows("name " + name[:48])):
            raise BodyError(429, "too many attempts to log in; wait a minute")
        ticket = self.accounts.login(name, password, int(self._clock()))
        if ticket is None:
            return False
        self._set(response, self.session_cookie, ticket, SESSION_S)
        return True

    def logout(self, request: Request, response: Response) -> None:
        """End the session; the key's cookie goes as well."""
        self.accounts.logout(request.cookies.get(self.session_cookie, ""))
        response.delete_cookie(self.session_cookie, path="/")
        response.delete_cookie(self.cookie, path="/")

    async def form(self, request: Request, who: Principal) -> Form:
        """A form that one of our own pages sent. Raises BodyError."""
        form = await read_form(request)
        if not same(form.get("csrf"), who.csrf):
            raise BodyError(403, "the form is not of this session; load the page again")
        return form

    def check_csrf(self, request: Request, who: Principal) -> None:
        """Raises 403 unless a changing request by cookie carries the session's token; a key needs none."""
        if not request.headers.get("authorization") and not same(
            request.headers.get("x-csrf-token", ""), who.csrf
        ):
            raise HTTPException(403, "x-csrf-token is missing or of another session")

    @staticmethod
    def _set(response: Response, name: str, value: str, age_s: int) -> None:
        response.set_cookie(name, value, max_age=age_s, httponly=True, samesite="strict", path="/")
