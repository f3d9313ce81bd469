"""Enrol once, then carry records up and trust data down whenever the Wi-Fi allows.

One task, one exchange at a time. Nothing here is in the way of a scan: the journal is read in small batches,
the signature of a new pack is checked in slices, its parts go to flash as they come, and whatever fails is
tried again later: a part from where it was.
"""

import asyncio
import gc
import os

from firmware.core.errors import CoreError
from firmware.core.handover import enrol_proof, rolled_secret
from firmware.core.hmac256 import sha256
from firmware.core.message import (
    MAX_PROVISIONING_BYTES,
    MAX_REPLY_BYTES,
    SyncReply,
    encode_enrol_request,
    encode_part_request,
    encode_sync_request,
    parse_authenticated_reply,
    parse_enrol_reply,
    parse_provisioning,
)
from firmware.core.pack import PART_MISSING, PackError
from firmware.services.clock import Clock
from firmware.services.files import read_limited, remove
from firmware.services.http import HttpError, post
from firmware.services.journal import Journal, JournalError
from firmware.services.keystore import Keystore, KeystoreError, tag_of
from firmware.services.packs import PackStore
from firmware.services.settings import Settings, SettingsError
from firmware.services.slices import exhaust
from firmware.services.wifi import Wifi

if False:
    from typing import Callable

    from firmware.core.message import Provisioning

#: With nothing to send, ask for time and trust data this often.
IDLE_INTERVAL_MS = 30_000
#: Let a passenger's records gather before they are sent.
SETTLE_MS = 300
#: Pauses after failures, with up to a quarter more so that a fleet does not come back in step.
BACKOFF_MS = (1_000, 2_000, 5_000, 15_000, 60_000)
TIMEOUT_MS = 20_000
#: A long part over a slow network; what came until then is kept.
PART_TIMEOUT_MS = 60_000
#: After a pack was refused, so many exchanges go by before it is tried again: flash wears out.
REFUSED_EXCHANGES = 20
#: While somebody's code is decided nothing is done here; looked at this often, and so often at most.
HELD_POLL_MS = 10
MAX_HELD_POLLS = 200
MAX_RECORDS = 100
#: A batch's share of a request; the rest is envelope. The request is built in one piece, and the heap of a
#: long day has few large ones left: a backlog goes up in several exchanges.
MAX_BATCH_BYTES = 4_096
MAX_CA_BYTES = 2_048
FINGERPRINT_BYTES = 32
CBOR_TYPE = "application/cbor"
COSE_TYPE = 'application/cose; cose-type="cose-mac0"'


class SyncError(Exception):
    """The exchange failed; the message is plain enough for the screen and holds no personal data."""


class Vault:
    """What a sync reads and writes: a plain record of the handheld's stores."""

    def __init__(
        self, settings: Settings, keystore: Keystore, journal: Journal, packs: PackStore, clock: Clock
    ) -> None:
        self.settings = settings
        self.keystore = keystore
        self.journal = journal
        self.packs = packs
        self.clock = clock
        #: Codes that opened on other handhelds lately, as the server told last: firmware/services/replay.py.
        self.seen_elsewhere = b""


class Sync:
    """The task that talks to the fleet server."""

    def __init__(self, vault: Vault, wifi: Wifi, chip_id: bytes, version: str, enrol_path: str) -> None:
        self._vault = vault
        self._wifi = wifi
        self._chip_id = chip_id
        self._version = version
        self._enrol_path = enrol_path
        self._batch_bytes = MAX_BATCH_BYTES
        self._held = 0
        self._wanted = asyncio.Event()
        self._joined = asyncio.Event()
        self._beat: "Callable[[], None]" = _nothing
        self._pack_pause = 0
        #: Whether a provisioning file may be there that nobody has looked at.
        self._given = True
        #: Whether an exchange is under way.
        self.busy = False
        self._reached = False
        #: Why the last exchange failed, "" after one that succeeded.
        self.trouble = ""
        #: Whether the server answered, but refused records.
        self.refused = False

    @property
    def reached(self) -> bool:
        """Whether the last exchange succeeded and the network is still there."""
        return self._reached and self._wifi.online

    def kick(self) -> None:
        """A record is waiting: do not sit out the idle interval."""
        self._wanted.set()

    def hold(self) -> None:
        """Somebody's code is being decided: stand still until as many calls of `release`."""
        self._held += 1

    def release(self) -> None:
        """It is decided."""
        self._held -= 1

    async def _pause(self) -> None:
        """Let the others go first; wait while somebody's code is decided, but not for ever."""
        await asyncio.sleep_ms(0)
        for _ in range(MAX_HELD_POLLS):
            if not self._held:
                break
            await asyncio.sleep_ms(HELD_POLL_MS)

    def joined(self) -> None:
        """The network is back: ask at once, whatever was being waited for."""
        self._wanted.set()
        self._joined.set()

    async def run(self, beat: "Callable[[], None]") -> None:
        """The task: wait for a reason and for the Wi-Fi, exchange, back off where it fails."""
        failures = 0
        self._beat = beat
        while True:
            beat()
            if not self._wifi.online:
                self._reached = False
                await asyncio.sleep_ms(500)
                continue
            try:
                self.busy = True
                await self._identify()
                renewed = await self._exchange()
                self._reached = True
                self.trouble = ""
                self.refused = False
                failures = 0
            except (
                SyncError,
                HttpError,
                JournalError,
                KeystoreError,
                SettingsError,
                CoreError,
                MemoryError,
            ) as e:
                # A lack of memory passes too: a restart would cost the passenger at the door his turn.
                gc.collect()
                self._reached = False
                self.trouble = str(e)
                print("sync:", self.trouble)
                self.busy = False
                failures = await self._back_off(failures)
                continue
            if not renewed and not self._vault.journal.pending:
                self.busy = False
                await self._rest()

    async def _back_off(self, failures: int) -> int:
        """Wait longer after each failure; how many there were. A network that came back ends it."""
        pause_ms = BACKOFF_MS[min(failures, len(BACKOFF_MS) - 1)]
        self._joined.clear()
        try:
            await asyncio.wait_for_ms(self._joined.wait(), pause_ms + pause_ms * os.urandom(1)[0] // 1024)
            return 0
        except asyncio.TimeoutError:
            return failures + 1

    async def _rest(self) -> None:
        """Wait for a record or for the idle interval."""
        self._wanted.clear()
        try:
            await asyncio.wait_for_ms(self._wanted.wait(), IDLE_INTERVAL_MS)
            await asyncio.sleep_ms(SETTLE_MS)
        except asyncio.TimeoutError:
            pass

    def provisioned(self) -> None:
        """A provisioning file has come: enrol with it, whatever was being waited for."""
        self._given = True
        self.joined()

    async def _identify(self) -> None:
        """Have an identity of our own: enrol where there is none, or with a token that came since.

        Raises SyncError, HttpError, CoreError, SettingsError, KeystoreError where there is none yet. Who has
        one keeps it until the new one is whole, and goes on with it where there is none to be had.
        """
        enrolled = self._vault.keystore.secret() is not None
        if not enrolled or self._given:
            try:
                await self._enrol(enrolled)
            except (SyncError, HttpError, CoreError, KeystoreError, SettingsError) as e:
                if not enrolled:
                    raise
                print("sync: not enrolled anew:", e)

    async def _enrol(self, enrolled: bool) -> None:
        """Trade the one-time token for an identity, and forget the file it came in. Raises as `_identify`.

        The server gives the same answer again to who shows the same key. So the power may go at any moment:
        before the settings are written it was nothing, after that all is done but for removing the file.
        """
        vault = self._vault
        settings, keystore = vault.settings, vault.keystore
        try:
            given = parse_provisioning(read_limited(self._enrol_path, MAX_PROVISIONING_BYTES))
        except OSError:
            self._given = False
            if enrolled:
                return
            raise SyncError("not enrolled") from None
        except CoreError:
            self._drop(enrolled)
            raise
        tag = tag_of(given.token)
        if not enrolled or settings.get("enrolled") != tag:
            ca_der = await self._ca_of(given)
            key = keystore.enrolment_key(tag)
            former = settings.get("device_id")
            secret = keystore.secret()
            proof = enrol_proof(secret, given.token, self._chip_id, key) if secret else b""
            next_seq, chain, _ = vault.journal.batch(0, 0)
            request = encode_enrol_request(
                given.token, self._chip_id, self._version, key, former, proof, next_seq - 1, chain
            )
            url = given.server_url
            status, body = await post(url + "/v1/enrol", request, CBOR_TYPE, ca_der, TIMEOUT_MS, 1024)
            if status != 200:
                if status == 403:
                    self._drop(enrolled)
                raise SyncError("enrolment refused (%d)" % status)
            reply = parse_enrol_reply(body)
            keystore.stage(reply.secret, tag)
            changes = {
                "device_id": reply.device_id,
                "enrolled": tag,
                "server_url": url,
                "ca_der": ca_der,
                "place": reply.place,
                "scene": reply.scene,
                "scene_unix": b"",
            }
            if given.root_key != settings.get("root_key"):
                # Another authority counts its packs anew.
                changes["root_key"] = given.root_key
                changes["pack_floor"] = b""
                vault.packs.current = None
            settings.update(changes)
            keystore.use(tag)
            vault.clock.server_time(reply.time_unix)
            print("sync: enrolled")
        self._drop(True)

    async def _ca_of(self, given: "Provisioning") -> bytes:
        """The certificate to check the server against; a QR code holds only its SHA-256.

        Raises SyncError, HttpError.
        """
        if len(given.ca_der) != FINGERPRINT_BYTES:
            return given.ca_der
        status, body = await post(given.server_url + "/v1/ca", b"", CBOR_TYPE, None, TIMEOUT_MS, MAX_CA_BYTES)
        if status != 200:
            raise SyncError("no certificate to be had (%d)" % status)
        if sha256(body) != given.ca_der:
            raise SyncError("certificate refused: not the one of the code")
        return body

    def _drop(self, enrolled: bool) -> None:
        """Look no more at a file that will never do, where there is an identity without it."""
        if enrolled:
            self._given = False
            remove(self._enrol_path)

    async def _exchange(self) -> bool:
        """Send one batch, take the answer; whether that brought a pack, which the server should hear.

        Raises SyncError, HttpError, JournalError, CoreError.
        """
        renewed = False
        vault = self._vault
        try:
            reply = await self._ask()
            await self._pause()
        except MemoryError:
            # Later, and with less at once: a restart would cost the passenger at the door his turn.
            self._batch_bytes = max(MAX_BATCH_BYTES // 8, self._batch_bytes // 2)
            gc.collect()
            raise SyncError("not enough memory") from None
        self._batch_bytes = min(MAX_BATCH_BYTES, self._batch_bytes * 2)
        vault.clock.server_time(reply.time_unix)
        if reply.acknowledged >= vault.journal.next_seq:
            raise SyncError("server acknowledges records that were never written")
        vault.journal.acknowledge(reply.acknowledged)
        await self._pause()
        vault.seen_elsewhere = reply.seen
        if reply.roll:
            # From the next request on; until the server sees one it takes both.
            vault.keystore.set_secret(rolled_secret(vault.keystore.secret() or b"", reply.roll))
        if reply.manifest:
            if self._pack_pause:
                self._pack_pause -= 1
            else:
                renewed = await self._renew(reply.manifest)
        if reply.refusal:
            self.refused = True
            raise SyncError("server: " + reply.refusal)
        return renewed

    async def _renew(self, data: bytes) -> bool:
        """Fetch what a newer pack has and this handheld has not; whether it is in force now.

        Raises SyncError, HttpError: the pack is tried again soon. A pack that is refused changes nothing.
        """
        packs = self._vault.packs
        try:
            manifest = await exhaust(packs.stage_steps(data, self._vault.clock.now_unix()))
            while True:
                missing = packs.missing(manifest)
                if not missing:
                    break
                await self._fetch(missing[0][1], missing[0][2])
            packs.commit(manifest)
        except PackError as e:
            # The old pack stays in force; the rest of the exchange stands.
            print("sync: pack refused:", e)
            self._pack_pause = REFUSED_EXCHANGES
            return False
        print("sync: pack %d" % manifest.version)
        return True

    async def _fetch(self, length: int, digest: bytes) -> None:
        """Bring one part, from where it was left. Raises PackError, SyncError, HttpError."""
        vault = self._vault
        self._beat()
        sink = vault.packs.sink(length, digest)
        try:
            if sink.offset < length:
                request = encode_part_request(
                    vault.settings.get("device_id"),
                    vault.keystore.secret() or b"",
                    digest,
                    sink.offset,
                    os.urandom(16),
                )
                gc.collect()
                status, _ = await post(
                    vault.settings.get("server_url") + "/v1/part",
                    request,
                    COSE_TYPE,
                    vault.settings.get("ca_der"),
                    PART_TIMEOUT_MS,
                    length - sink.offset,
                    sink,
                    self._pause,
                )
                if status == 404:
                    raise PackError(PART_MISSING)
                if status != 200:
                    raise SyncError("part refused (%d)" % status)
        finally:
            sink.close()
        await exhaust(sink.finish_steps())

    async def _ask(self) -> SyncReply:
        """Send the next batch; the server's answer. Changes nothing here. Raises as `_exchange` does."""
        vault = self._vault
        secret = vault.keystore.secret()
        if secret is None:
            raise SyncError("not enrolled")
        await self._pause()
        first_seq, chain_before, records = vault.journal.batch(MAX_RECORDS, self._batch_bytes)
        await self._pause()
        gc.collect()
        await self._pause()
        nonce = os.urandom(16)
        request = encode_sync_request(
            vault.settings.get("device_id"),
            secret,
            first_seq,
            chain_before,
            records,
            vault.clock.now_unix(),
            vault.packs.version,
            nonce,
            True,
        )
        del records  # the request holds them; the heap is short during a handshake
        await self._pause()
        status, body = await post(
            vault.settings.get("server_url") + "/v1/sync",
            request,
            COSE_TYPE,
            vault.settings.get("ca_der"),
            TIMEOUT_MS,
            MAX_REPLY_BYTES,
            None,
            self._pause,
        )
        if status != 200:
            raise SyncError("sync refused (%d)" % status)
        return parse_authenticated_reply(body, secret, nonce)


def _nothing() -> None:
    """Nobody waits for a beat yet."""
