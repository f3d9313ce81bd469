"""Enrol once, then carry records up and trust data down whenever the Wi-Fi allows.

One task, one exchange at a time. Nothing here is in the way of a scan: the journal is read in small batches,
the signature of a new trust list is checked in slices, and whatever fails is tried again later.
"""

import asyncio
import gc
import os

from firmware.core.errors import CoreError
from firmware.core.message import (
    MAX_PROVISIONING_BYTES,
    MAX_REPLY_BYTES,
    SyncReply,
    encode_enrol_request,
    encode_sync_request,
    parse_enrol_reply,
    parse_provisioning,
    parse_sync_reply,
)
from firmware.services.clock import Clock
from firmware.services.files import read_limited
from firmware.services.http import HttpError, post
from firmware.services.journal import Journal, JournalError
from firmware.services.keystore import Keystore, KeystoreError
from firmware.services.settings import Settings, SettingsError
from firmware.services.slices import exhaust
from firmware.services.truststore import TrustStore, TrustStoreError
from firmware.services.wifi import Wifi

if False:
    from typing import Callable

#: With nothing to send, ask for time and trust data this often.
IDLE_INTERVAL_MS = 30_000
#: Let a passenger's records gather before they are sent.
SETTLE_MS = 300
#: Pauses after failures, with up to a quarter more so that a fleet does not come back in step.
BACKOFF_MS = (1_000, 2_000, 5_000, 15_000, 60_000)
TIMEOUT_MS = 20_000
MAX_RECORDS = 100
#: A batch's share of a request; the rest is envelope. The request is built in one piece, and the heap of a
#: long day has few large ones left: a backlog goes up in several exchanges.
MAX_BATCH_BYTES = 4_096
CBOR_TYPE = "application/cbor"
COSE_TYPE = 'application/cose; cose-type="cose-mac0"'


class SyncError(Exception):
    """The exchange failed; the message is plain enough for the screen and holds no personal data."""


class Vault:
    """What a sync reads and writes: a plain record of the handheld's stores."""

    def __init__(
        self, settings: Settings, keystore: Keystore, journal: Journal, trust: TrustStore, clock: Clock
    ) -> None:
        self.settings = settings
        self.keystore = keystore
        self.journal = journal
        self.trust = trust
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
        self._wanted = asyncio.Event()
        #: Whether an exchange is under way.
        self.busy = False
        #: Whether the last exchange succeeded.
        self.reached = False
        #: Why the last exchange failed, "" after one that succeeded.
        self.trouble = ""
        #: Whether the server answered, but refused records.
        self.refused = False

    def kick(self) -> None:
        """A record is waiting: do not sit out the idle interval."""
        self._wanted.set()

    async def run(self, beat: "Callable[[], None]") -> None:
        """The task: wait for a reason and for the Wi-Fi, exchange, back off where it fails."""
        failures = 0
        while True:
            beat()
            if not self._wifi.online:
                self.reached = False
                await asyncio.sleep_ms(500)
                continue
            try:
                self.busy = True
                if self._vault.keystore.secret() is None:
                    await self._enrol()
                renewed = await self._exchange()
                self.reached = True
                self.trouble = ""
                self.refused = False
                failures = 0
            except (SyncError, HttpError, JournalError, KeystoreError, SettingsError, CoreError) as e:
                self.reached = False
                self.trouble = str(e)
                print("sync:", self.trouble)
                self.busy = False
                pause_ms = BACKOFF_MS[min(failures, len(BACKOFF_MS) - 1)]
                failures += 1
                await asyncio.sleep_ms(pause_ms + pause_ms * os.urandom(1)[0] // 1024)
                continue
            if not renewed and not self._vault.journal.pending:
                self.busy = False
                await self._rest()

    async def _rest(self) -> None:
        """Wait for a record or for the idle interval."""
        self._wanted.clear()
        try:
            await asyncio.wait_for_ms(self._wanted.wait(), IDLE_INTERVAL_MS)
            await asyncio.sleep_ms(SETTLE_MS)
        except asyncio.TimeoutError:
            pass

    async def _enrol(self) -> None:
        """Trade the one-time token for an identity of our own. Raises SyncError, HttpError, CoreError."""
        vault = self._vault
        try:
            given = parse_provisioning(read_limited(self._enrol_path, MAX_PROVISIONING_BYTES))
        except OSError:
            raise SyncError("not enrolled") from None
        request = encode_enrol_request(given.token, self._chip_id, self._version)
        status, body = await post(
            given.server_url + "/v1/enrol", request, CBOR_TYPE, given.ca_der, TIMEOUT_MS, 1024
        )
        if status != 200:
            raise SyncError("enrolment refused (%d)" % status)
        reply = parse_enrol_reply(body)
        vault.settings.update(
            {
                "device_id": reply.device_id,
                "server_url": given.server_url,
                "ca_der": given.ca_der,
                "place": reply.place,
                "scene": reply.scene,
            }
        )
        # The secret makes the enrolment complete, so it is the last to be kept; then the dead token may go.
        vault.keystore.set_secret(reply.secret)
        os.remove(self._enrol_path)
        vault.clock.server_time(reply.time_unix)

    async def _exchange(self) -> bool:
        """Send one batch, take the answer; whether that brought a trust list, which the server should hear.

        Raises SyncError, HttpError, JournalError, CoreError.
        """
        renewed = False
        vault = self._vault
        try:
            reply = await self._ask()
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
        vault.seen_elsewhere = reply.seen
        if reply.trust:
            try:
                await exhaust(vault.trust.install_steps(reply.trust, vault.clock.now_unix()))
                renewed = True
            except (TrustStoreError, MemoryError) as e:
                # The old list stays in force; the rest of the exchange stands.
                print("sync: trust list refused:", e)
        if reply.refusal:
            self.refused = True
            raise SyncError("server: " + reply.refusal)
        return renewed

    async def _ask(self) -> SyncReply:
        """Send the next batch; the server's answer. Changes nothing here. Raises as `_exchange` does."""
        vault = self._vault
        secret = vault.keystore.secret()
        if secret is None:
            raise SyncError("not enrolled")
        first_seq, chain_before, records = vault.journal.batch(MAX_RECORDS, self._batch_bytes)
        gc.collect()
        nonce = os.urandom(16)
        trust = vault.trust.current
        request = encode_sync_request(
            vault.settings.get("device_id"),
            secret,
            first_seq,
            chain_before,
            records,
            vault.clock.now_unix(),
            trust.version if trust else 0,
            nonce,
        )
        del records  # the request holds them; the heap is short during a handshake
        status, body = await post(
            vault.settings.get("server_url") + "/v1/sync",
            request,
            COSE_TYPE,
            vault.settings.get("ca_der"),
            TIMEOUT_MS,
            MAX_REPLY_BYTES,
        )
        if status != 200:
            raise SyncError("sync refused (%d)" % status)
        return parse_sync_reply(body, nonce)
