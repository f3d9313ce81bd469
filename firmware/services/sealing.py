"""Keys for the journal's segments: each agreed with the server anew, used once, kept in memory only.

Agreeing takes two multiplications on the curve, so the next key is made ready between passengers. Where none
is ready when a record comes, it is made then and there: late, but never unsealed.
"""

from firmware.core.errors import CoreError
from firmware.core.p256 import P256Error, check_public_key
from firmware.core.seal import KID_BYTES, PUBLIC_BYTES, SealError, Segment, SegmentKey, new_key_steps

if False:
    from typing import Callable, Generator

    from firmware.core.ccm import Aes
    from firmware.core.p256_comb import Secrets


class Sealing:
    """Begins segments that only the server can open.

    `aes` is cryptolib.aes, `random` os.urandom; `secrets` shares the engine that checks signatures.
    """

    def __init__(self, secrets: "Secrets", aes: "Aes", random: "Callable[[int], bytes]") -> None:
        self._secrets = secrets
        self._aes = aes
        self._random = random
        self._server_key = b""
        self._next: "SegmentKey | None" = None
        #: Names the server's key in force, empty before there is one.
        self.kid = b""

    @property
    def ready(self) -> bool:
        """Whether the next segment can begin at once."""
        return self._next is not None

    def use(self, server_key: bytes, kid: bytes) -> None:
        """Seal for this key (x‖y) from the next segment on. Raises SealError or P256Error for no such key."""
        if len(server_key) != PUBLIC_BYTES or len(kid) != KID_BYTES:
            raise SealError("sealing key")
        check_public_key(server_key)
        if server_key != self._server_key or kid != self.kid:
            self._server_key = server_key
            self.kid = kid
            self._next = None

    def prepare_steps(self) -> "Generator[None, None, bool]":
        """Make the next key ready, in slices; whether it is. False where a signature took the engine, memory
        is short or there is no server key: later, then.
        """
        if self._next is None and self.kid:
            kid = self.kid
            try:
                made = yield from new_key_steps(self._secrets, self._server_key, kid, self._random)
            except (CoreError, MemoryError):
                return False
            if kid == self.kid:
                self._next = made
        return self._next is not None

    def begin(self, device: str, first: int) -> Segment:
        """A new segment of this device from the sequence `first` on. Raises SealError without a server key or
        where the key cannot be agreed on.
        """
        if not self.kid:
            raise SealError("no sealing key")
        key = self._next
        if key is None:
            try:
                key = _finish(new_key_steps(self._secrets, self._server_key, self.kid, self._random))
            except (P256Error, MemoryError):
                raise SealError("no segment key") from None
        self._next = None
        return Segment(self._aes, key, device, first)


def _finish(steps: "Generator[None, None, SegmentKey]") -> SegmentKey:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            made: SegmentKey = end.value
            return made
