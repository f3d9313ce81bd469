"""The packs that the fleet server holds: what came from the authority, and what each handheld is handed."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from firmware.core.cose import parse_sign1
from firmware.core.errors import CoreError
from firmware.core.pack import TEXTS, parse_payload
from firmware.core.packmemory import Memory
from firmware.core.table import Table
from firmware.core.trust import kid_of_key
from host_tools.server.schema import Device, Pack, PackPart, Part, Root, Wrapped
from host_tools.server.store import Store

#: Manifests that stay; the parts of those before them go. A handheld that is fetching one starts over.
KEPT_PACKS = 10


@dataclass(frozen=True)
class Received:
    """A pack whose signatures, hashes and limits were checked."""

    version: int
    manifest: bytes
    root: bytes
    expires_unix: int
    parts: dict[bytes, bytes]
    #: By the kid of an earlier root: the manifest wrapped in its word for `root`.
    wrapped: dict[bytes, bytes] = field(default_factory=dict)


class Packs:
    """What `store` knows of packs and roots. All methods are blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._texts: dict[int, tuple[str, str]] = {}
        self._texts_version = 0

    def pin(self, root: bytes) -> None:
        """Believe this root key x‖y from now on, unless another one is believed already."""
        with self._store.writing() as session:
            if session.scalar(select(func.count()).select_from(Root)) == 0:
                session.add(Root(kid=kid_of_key(root), public=root))

    def roots(self) -> list[bytes]:
        """The roots x‖y that were believed, the one in force last."""
        with self._store.reading() as session:
            return list(session.scalars(select(Root.public).order_by(Root.number)))

    def version(self) -> int:
        """The version of the newest pack, 0 where there is none yet."""
        with self._store.reading() as session:
            return session.scalar(select(func.max(Pack.version))) or 0

    def missing(self, digests: list[bytes]) -> list[bytes]:
        """Those parts that are not here yet."""
        with self._store.reading() as session:
            here = set(session.scalars(select(Part.digest).where(Part.digest.in_(digests))))
        return [digest for digest in dict.fromkeys(digests) if digest not in here]

    def keep(self, pack: Received, digests: list[bytes], now_unix: int) -> bool:
        """Keep a pack that names the parts `digests`; False where one as new is here already."""
        with self._store.writing() as session:
            if pack.version <= (session.scalar(select(func.max(Pack.version))) or 0):
                return False
            root_kid = kid_of_key(pack.root)
            if session.scalar(select(Root).where(Root.kid == root_kid)) is None:
                session.add(Root(kid=root_kid, public=pack.root))
            session.add(
                Pack(
                    version=pack.version,
                    manifest=pack.manifest,
                    root_kid=root_kid,
                    expires_unix=pack.expires_unix,
                    received_unix=now_unix,
                )
            )
            for digest, data in pack.parts.items():
                if session.get(Part, digest) is None:
                    session.add(Part(digest=digest, data=data))
            session.flush()
            session.add_all(
                PackPart(version=pack.version, digest=digest) for digest in dict.fromkeys(digests)
            )
            session.add_all(
                Wrapped(version=pack.version, root_kid=kid, manifest=manifest)
                for kid, manifest in pack.wrapped.items()
            )
            session.flush()
            session.execute(delete(Pack).where(Pack.version <= pack.version - KEPT_PACKS))
            session.execute(delete(Part).where(Part.digest.not_in(select(PackPart.digest))))
            return True

    def rule_texts(self) -> dict[int, tuple[str, str]]:
        """What the newest pack calls the reasons that its rules give, in Chinese and in English."""
        with self._store.reading() as session:
            newest = session.scalars(select(Pack).order_by(Pack.version.desc()).limit(1)).first()
            if newest is None or newest.version == self._texts_version:
                return self._texts
            listed = parse_payload(parse_sign1(newest.manifest).payload).part(TEXTS)
            part = session.get(Part, listed[1]) if listed else None
        self._texts = _read_texts(part.data) if part else {}
        self._texts_version = newest.version
        return self._texts

    def part(self, digest: bytes, offset: int) -> bytes | None:
        """The bytes of a part from `offset` on; None where there is no such part or it ends before."""
        with self._store.reading() as session:
            # SQL counts from 1.
            return session.scalar(
                select(func.substr(Part.data, offset + 1)).where(
                    Part.digest == digest, func.length(Part.data) >= offset
                )
            )


def _read_texts(part: bytes) -> dict[int, tuple[str, str]]:
    """The first lines of a book of texts, by reason; one that cannot be read is left out."""
    found: dict[int, list[str]] = {}
    try:
        book = Table(Memory(part), len(part))
        for index in range(book.count):
            record = book.record(index)
            reason, _, _, language = struct.unpack(">IHBB", record[:8])
            text = book.blob(record[8:]).decode("utf-8", "replace").partition("\n")[0]
            if language < 2:
                found.setdefault(reason, ["", ""])[language] = text
    except CoreError:
        return {}
    return {reason: (both[0] or both[1], both[1] or both[0]) for reason, both in found.items()}


def manifest_for(session: Session, device: Device, held_version: int) -> bytes | None:
    """The newest manifest if `device`, which holds `held_version`, has an older one; for the root it pins."""
    newest = session.scalars(select(Pack).order_by(Pack.version.desc()).limit(1)).first()
    if newest is None or newest.version <= held_version:
        return None
    root_kid = device.root_kid
    if root_kid is None:
        # Enrolled before roots could change: it pins the first.
        root_kid = session.scalar(select(Root.kid).order_by(Root.number).limit(1))
    if root_kid == newest.root_kid:
        return newest.manifest
    wrapped = session.get(Wrapped, (newest.version, root_kid))
    return newest.manifest if wrapped is None else wrapped.manifest


def note_held(session: Session, device: Device, version: int) -> None:
    """Remember what a handheld says it holds: it pins the root that signed that."""
    device.pack_version = version
    if version and (held := session.get(Pack, version)) is not None:
        device.root_kid = held.root_kid
