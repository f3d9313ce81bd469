"""Accounts of the console: roles, passwords (Argon2id), sessions, and the audit log."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import delete, select

from host_tools.files import FileTrouble
from host_tools.server.schema import Account, Audit, Login
from host_tools.server.store import Store

SESSION_S = 12 * 3_600
LEAST_LETTERS = 12
MOST_LETTERS = 200
#: What each role may do: see records and devices; lists of people; ask for traces; allow names; read the
#: audit log. The authority's offices are cities and districts; a unit is a place or a company with several.
MAY = {
    "city": frozenset({"records", "people", "trace", "approve", "audit"}),
    "district": frozenset({"records", "people", "trace", "approve"}),
    "unit": frozenset({"records", "people", "trace"}),
    "inspector": frozenset({"records"}),
    "auditor": frozenset({"audit"}),
}
#: Who comes with the console key: the administrator of a first start.
KEY_NAME = "console-key"


@dataclass(frozen=True)
class Principal:
    """Who asks: what they may and which places they see. `csrf` is what their forms carry."""

    name: str
    role: str
    scope: str
    csrf: str

    def may(self, what: str) -> bool:
        """Whether the role allows it."""
        return what in MAY.get(self.role, frozenset())

    def sees(self, place: str | None) -> bool:
        """Whether a place is within the scope."""
        return (place or "").startswith(self.scope)


class Accounts:
    """Accounts, sessions and audit log in `store`. All methods are blocking."""

    def __init__(self, store: Store, hasher: PasswordHasher | None = None) -> None:
        self._store = store
        self._hasher = hasher or PasswordHasher()
        # An unknown name costs as much time as a wrong password.
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))

    def add(self, name: str, role: str, scope: str, password: str, now_unix: int) -> None:
        """A new account, or another password, role and scope for an old one. Raises FileTrouble."""
        if role not in MAY:
            raise FileTrouble(f"a role is one of {', '.join(MAY)}")
        if not LEAST_LETTERS <= len(password) <= MOST_LETTERS:
            raise FileTrouble(f"a password has {LEAST_LETTERS} to {MOST_LETTERS} characters")
        if not 1 <= len(name.encode()) <= 48 or name == KEY_NAME or not name.isprintable():
            raise FileTrouble("a name has 1 to 48 bytes, all printable")
        hashed = self._hasher.hash(password)
        with self._store.writing() as session:
            session.merge(
                Account(
                    name=name,
                    password=hashed,
                    role=role,
                    scope=scope,
                    created_unix=now_unix,
                    disabled_unix=None,
                )
            )
            session.execute(delete(Login).where(Login.name == name))

    def disable(self, name: str, now_unix: int) -> bool:
        """Lock an account and end its sessions; False where there is none."""
        with self._store.writing() as session:
            account = session.get(Account, name)
            if account is None:
                return False
            account.disabled_unix = now_unix
            session.execute(delete(Login).where(Login.name == name))
            return True

    def all(self) -> Sequence[Account]:
        """Every account by name."""
        with self._store.reading() as session:
            return session.scalars(select(Account).order_by(Account.name)).all()

    def login(self, name: str, password: str, now_unix: int) -> str | None:
        """The ticket of a new session, None where name or password are wrong."""
        with self._store.reading() as session:
            account = session.get(Account, name) if "\0" not in name else None
        hashed = account.password if account and account.disabled_unix is None else self._nobody
        try:
            self._hasher.verify(hashed, password[:MOST_LETTERS])
        except VerificationError:
            return None
        if account is None or account.disabled_unix is not None:
            return None
        ticket = secrets.token_urlsafe(32)
        with self._store.writing() as session:
            session.execute(delete(Login).where(Login.ends_unix <= now_unix))
            session.add(
                Login(
                    ticket_hash=_hash(ticket),
                    name=name,
                    csrf=secrets.token_urlsafe(32),
                    ends_unix=now_unix + SESSION_S,
                )
            )
        return ticket

    def logout(self, ticket: str) -> None:
        """End a session."""
        with self._store.writing() as session:
            session.execute(delete(Login).where(Login.ticket_hash == _hash(ticket)))

    def of_ticket(self, ticket: str, now_unix: int) -> Principal | None:
        """Whose session this is, None for none or an ended one."""
        query = (
            select(Account, Login.csrf)
            .join(Login, Login.name == Account.name)
            .where(
                Login.ticket_hash == _hash(ticket),
                Login.ends_unix > now_unix,
                Account.disabled_unix.is_(None),
            )
        )
        with self._store.reading() as session:
            found = session.execute(query).one_or_none()
        return Principal(found[0].name, found[0].role, found[0].scope, found[1]) if found else None

    def note(self, who: Principal, action: str, detail: str, now_unix: int) -> None:
        """Add a line to the audit log."""
        with self._store.writing() as session:
            session.add(
                Audit(
                    at_unix=now_unix,
                    name=who.name,
                    role=who.role,
                    action=action,
                    detail=detail.replace("\0", "\ufffd")[:400],
                )
            )

    def log(self, before_id: int, limit: int) -> Sequence[Audit]:
        """Lines of the audit log, newest first."""
        query = select(Audit).where(Audit.id < before_id).order_by(Audit.id.desc()).limit(limit)
        with self._store.reading() as session:
            return session.scalars(query).all()


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _hash(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode("utf-8", "replace")).digest()
