"""Laboratories and authorised units, and the credentials by which they report and grant."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from fastapi import HTTPException, Request
from sqlalchemy import select

from host_tools.authority import schema
from host_tools.authority.fields import PeopleTrouble, plain
from host_tools.authority.people import ALPHABET, People, note

ID_LETTERS = 6
MAX_PARTY_NAME = 32
SECRET_BYTES = 32
_PREFIX = {schema.LABORATORY: "lab-", schema.UNIT: "unit-"}


class Parties:
    """Those who have a credential."""

    def __init__(self, people: People) -> None:
        self._people = people

    def add(self, kind: str, name: str, actor: str, now_unix: int) -> tuple[str, str]:
        """A new laboratory or unit: its id, and its credential, which cannot be had a second time."""
        name = plain(name, "name", MAX_PARTY_NAME)
        if not name:
            raise PeopleTrouble("the name is empty")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        with self._people.database.writing() as session:
            party_id = ""
            while not party_id or session.get(schema.Party, party_id) is not None:
                party_id = _PREFIX[kind] + "".join(secrets.choice(ALPHABET) for _ in range(ID_LETTERS))
            session.add(
                schema.Party(
                    id=party_id, kind=kind, name=name, secret_hash=_hash(secret), created_unix=now_unix
                )
            )
            note(session, now_unix, actor, f"{kind} add", None, f"{party_id} {name}")
        return party_id, secret

    def revoke(self, kind: str, party_id: str, actor: str, now_unix: int) -> None:
        """Refuse a credential from now on; what came under it stays. Raises PeopleTrouble."""
        with self._people.database.writing() as session:
            party = session.get(schema.Party, party_id)
            if party is None or party.kind != kind or party.revoked_unix is not None:
                raise PeopleTrouble(f"{party_id}: no such {kind}, or revoked already")
            party.revoked_unix = now_unix
            note(session, now_unix, actor, f"{kind} revoke", None, party_id)

    def list(self, kind: str) -> Sequence[schema.Party]:
        """All of a kind, newest first."""
        query = select(schema.Party).where(schema.Party.kind == kind)
        with self._people.database.reading() as session:
            return session.scalars(query.order_by(schema.Party.created_unix.desc(), schema.Party.id)).all()

    def is_good(self, kind: str, party_id: str, secret: str) -> bool:
        """Whether this is the credential of that party, and not revoked."""
        with self._people.database.reading() as session:
            party = session.get(schema.Party, party_id)
        known = party is not None and party.kind == kind and party.revoked_unix is None
        # Compared in any case, so that the time taken does not tell which ids there are.
        equal = hmac.compare_digest(_hash(secret), party.secret_hash if party else bytes(32))
        return known and equal

    def check(self, kind: str, party_id: str, request: Request) -> None:
        """Raises 401 unless the request carries the party's credential as a bearer token."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self.is_good(kind, party_id, secret.strip()):
            raise HTTPException(401, f"the credential of this {kind} is needed as a bearer token")


def _hash(secret: str) -> bytes:
    """256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
