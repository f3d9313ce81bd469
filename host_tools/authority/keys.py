"""The authority's keys: one root that signs the trust list, issuers that sign codes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from firmware.core.trust import kid_of_key
from host_tools import pki
from host_tools.files import create_private, read_limited, write_private

#: The authority's name inside codes: the ISO 3166-2 code of its province keeps the picture small.
ISSUER = "CN-FJ"
#: A neighbour whose keys are not in the trust list: its codes are "issuer unknown".
NEIGHBOUR = "CN-GD"
KIND_LIVE = 1
KIND_PRINTED = 2
KIND_EU = 3
DAY_S = 86_400
#: An issuer key counts from before it was made, because the town shows papers printed some days ago.
BACKDATE_S = 7 * DAY_S
VALID_DAYS = 365


@dataclass(frozen=True)
class Issuer:
    """One signing key: what it may sign (`kinds`) and when (`not_before_unix` to `not_after_unix`)."""

    name: str
    key: ec.EllipticCurvePrivateKey
    kinds: tuple[int, ...]
    not_before_unix: int
    not_after_unix: int

    @property
    def public(self) -> bytes:
        """x‖y."""
        return pki.public_bytes(self.key.public_key())

    @property
    def kid(self) -> bytes:
        """The 8 bytes that a code names its key by."""
        return kid_of_key(self.public)


class Keys:
    """All keys in one folder, made on first use; files are readable by their owner only.

    `live` signs codes on phones, `printed` those on paper: a stolen printing key forges no live code.
    """

    def __init__(self, folder: Path, now_unix: int) -> None:
        self._folder = folder
        self.root = pki.load_or_create_key(folder / "root.key")
        self.live = self._issuer("live", ISSUER, (KIND_LIVE,), now_unix)
        self.printed = self._issuer("printed", ISSUER, (KIND_PRINTED,), now_unix)
        self.neighbour = self._issuer("neighbour", NEIGHBOUR, (KIND_LIVE, KIND_PRINTED), now_unix)
        public = pki.public_bytes(self.root.public_key()).hex().encode()
        path = folder / "root.pub"
        if not path.exists() or read_limited(path) != public:
            write_private(path, public)

    @property
    def root_public(self) -> bytes:
        """The root key that handhelds and servers pin, x‖y."""
        return pki.public_bytes(self.root.public_key())

    @property
    def root_kid(self) -> bytes:
        """The root key's kid, in the header of what it signs."""
        return kid_of_key(self.root_public)

    @property
    def trusted(self) -> tuple[Issuer, ...]:
        """The authority's own issuers that go into the trust list."""
        return (self.live, self.printed)

    def _issuer(self, label: str, name: str, kinds: tuple[int, ...], now_unix: int) -> Issuer:
        key = pki.load_or_create_key(self._folder / f"issuer-{label}.key")
        since = int(create_private(self._folder / f"issuer-{label}.since", b"%d" % (now_unix - BACKDATE_S)))
        return Issuer(name, key, kinds, since, since + BACKDATE_S + VALID_DAYS * DAY_S)
