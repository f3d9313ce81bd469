"""What the handheld keeps of each passage: who is inside, its records, and which codes have opened.

The records come second and settle it: they cannot be read back, so what is known of who is inside has to be
there before, and is taken back where they are not (firmware/services/presence.py). Who is inside is written
down under a cipher whose key is in the chip's key store: a copy of the flash names nobody.
"""

import cryptolib

from firmware.core import reasons, record, shape
from firmware.core.hmac256 import sha256
from firmware.core.record import RecordError
from firmware.core.scene import IDENTITY_ALL
from firmware.core.verdict import PASS
from firmware.services.clock import LOCAL_OFFSET_S
from firmware.services.journal import JournalError, JournalFull
from firmware.services.keystore import KeystoreError
from firmware.services.presence import Presence, PresenceError, closing_unix
from firmware.services.replay import forgotten, noted, opened_lately

if False:
    from typing import Generator

    from firmware.core.codes import Code
    from firmware.core.decision import Decision
    from firmware.core.scene import Scene
    from firmware.services.sync import Vault

_ECB = 1


class Ledger:
    """Journal, presence and replay, kept in step."""

    def __init__(self, vault: "Vault", presence: Presence) -> None:
        self._vault = vault
        self._named = False
        #: The key under which people are noted, empty before the first scene that counts them.
        self._own = b""
        self.presence = presence
        #: Codes that opened here lately: firmware/services/replay.py.
        self._opened_here = b""
        #: Whether the last record could be written; a full journal is another matter.
        self.ok = True

    def start(self) -> None:
        """After the journal was opened: a time that it knows of has passed, whatever the clock says."""
        self._vault.clock.raise_floor(self._vault.journal.floor_unix)

    def settle(self, scene: "Scene", place: str) -> None:
        """This scene holds from now on; who was inside elsewhere is nobody's concern any more."""
        vault, presence = self._vault, self.presence
        self._named = scene.identity == IDENTITY_ALL
        if not vault.journal.opened:
            # Nobody passes, and nobody knows up to where the entries count.
            presence.close()
            return
        try:
            if scene.counts_presence:
                if not self._own:
                    self._own = vault.keystore.local_key()
                lost = presence.open(place, scene.id, vault.journal.next_seq - 1)
            else:
                lost = presence.reset(0) if presence.opened else 0
                presence.close()
            if lost:
                self._event_record(record.EVENT_PRESENCE_RESET, scene.id, place, "%d" % lost)
        except (PresenceError, JournalError, KeystoreError) as e:
            print("ledger:", e)

    def write(
        self, code: "Code | None", decisions: "list[Decision]", scene: "Scene", place: str, direction: int
    ) -> bool:
        """Write one record per decision, all of them before this returns, or none: False."""
        vault = self._vault
        party = vault.journal.next_seq
        written: "list[dict[int, object]]" = []
        data = []
        try:
            for index, decision in enumerate(decisions):
                fields = decision.fields(code, scene)
                fields.update(self._head(party + index, scene.id, place))
                fields[record.DIRECTION] = direction
                if len(decisions) > 1:
                    fields[record.PARTY] = [party, index, len(decisions)]
                data.append(record.encode(fields))
                written.append(fields)
            self._append(written, data)
        except (JournalError, RecordError) as e:
            print("journal:", e)
            self.ok = isinstance(e, JournalFull)
            return False
        self.ok = True
        if code and direction == record.DIRECTION_OUT:
            self._opened_here = forgotten(self._opened_here, code.cti)
        elif code and all(d.outcome == PASS for d in decisions):
            self._opened_here = noted(self._opened_here, code.cti, vault.clock.now_unix())
        return True

    def event(
        self, event: int, scene_id: str, place: str, detail: str = "", sub: "bytes | None" = None
    ) -> bool:
        """Write an event record and do what it means; False where the journal does not take it."""
        fields = self._event_record(event, scene_id, place, detail, sub)
        if fields is not None and sub is None:
            # Nothing takes back that everybody is out, so it comes last: at worst it happens again.
            self._account(fields)
        return fields is not None

    def _event_record(
        self, event: int, scene_id: str, place: str, detail: str = "", sub: "bytes | None" = None
    ) -> "dict[int, object] | None":
        fields = self._head(self._vault.journal.next_seq, scene_id, place)
        fields[record.EVENT] = event
        if detail:
            fields[record.DETAIL] = detail
        if sub:
            fields[record.SUB] = sub
        if event == record.EVENT_FORCED_OUT:
            fields[record.DIRECTION] = record.DIRECTION_OUT
        try:
            self._append([fields] if sub else [], [record.encode(fields)])
        except (JournalError, RecordError) as e:
            print("journal:", e)
            return None
        return fields

    def replay_reason(self, cti: bytes, now_unix: int, pass_back_s: int) -> int:
        """OK, REPLAYED, or REPLAYED_ELSEWHERE where this code opened less than `pass_back_s` ago."""
        if opened_lately(self._opened_here, cti, now_unix, pass_back_s):
            return reasons.REPLAYED
        if opened_lately(self._vault.seen_elsewhere, cti, now_unix, pass_back_s):
            return reasons.REPLAYED_ELSEWHERE
        return reasons.OK

    def inside(self, code: "Code", sub: bytes) -> bool:
        """Whether a person with this code is inside."""
        try:
            return self.presence.opened and self.presence.inside(self._who(sub, code.cti))
        except PresenceError as e:
            print("ledger:", e)
            return False

    def close_steps(self, scene: "Scene", place: str) -> "Generator[None, None, None]":
        """After the closing time, check out who came before it, in slices of work."""
        presence, clock = self.presence, self._vault.clock
        minute = scene.closing_minute
        if minute is None or not presence.opened or not presence.count or not clock.trusted:
            return
        closed_unix = closing_unix(clock.now_unix(), minute, LOCAL_OFFSET_S)
        detail = "%02d:%02d" % (minute // 60, minute % 60)
        try:
            if not self._named:
                if presence.unix < closed_unix:
                    self.event(record.EVENT_FORCED_OUT, scene.id, place, "%s, %d" % (detail, presence.count))
                return
            for who in presence.since_before_steps(closed_unix):
                yield None
                if who is None:
                    continue
                sub = cryptolib.aes(self._own, _ECB).decrypt(who)
                # With the journal nearly full, the rest stays inside until there is room.
                if self._vault.journal.nearly_full or not self.event(
                    record.EVENT_FORCED_OUT, scene.id, place, detail, sub
                ):
                    return
        except PresenceError as e:
            print("ledger:", e)

    def tidy_steps(self) -> "Generator[None, None, None]":
        """Keep the file of who is inside short, in slices of work."""
        if self.presence.opened and self.presence.wants_tidying:
            try:
                yield from self.presence.tidy_steps()
            except PresenceError as e:
                print("ledger:", e)

    def _head(self, sequence: int, scene_id: str, place: str) -> "dict[int, object]":
        vault = self._vault
        return {
            record.SEQ: sequence,
            record.TIME: vault.clock.now_unix(),
            record.CLOCK: record.CLOCK_TRUSTED if vault.clock.trusted else record.CLOCK_NOT_TRUSTED,
            record.DEVICE: vault.settings.get("device_id"),
            record.PLACE: place,
            record.SCENE: scene_id,
        }

    def _append(self, accounted: "list[dict[int, object]]", data: "list[bytes]") -> None:
        """Account for records and write them, all or none of both. Raises JournalError."""
        presence = self.presence
        mark = presence.mark
        for fields in accounted:
            self._account(fields)
        try:
            self._vault.journal.append_all(data)
        except JournalError:
            if presence.mark[0] != mark[0]:
                try:
                    presence.undo(mark)
                except PresenceError as e:
                    print("ledger:", e)
            raise

    def _account(self, fields: "dict[int, object]") -> None:
        """What a record means for who is inside: whoever may pass came in; whoever goes is out."""
        presence = self.presence
        if not presence.opened:
            return
        sub, cti = fields.get(record.SUB), fields.get(record.CTI)
        known = isinstance(sub, bytes) or isinstance(cti, bytes)
        who = self._who(sub, cti) if known and self._named else None
        unix, seq = shape.unix(fields[record.TIME]), shape.uint(fields[record.SEQ])
        event = fields.get(record.EVENT)
        try:
            if event == record.EVENT_PRESENCE_RESET or (event == record.EVENT_FORCED_OUT and who is None):
                presence.reset(seq)
            elif event == record.EVENT_FORCED_OUT:
                presence.left(who, unix, seq)
            elif event is not None or (self._named and who is None):
                return  # nobody goes by, or nobody knows who
            elif fields[record.DIRECTION] == record.DIRECTION_OUT:
                presence.left(who, unix, seq)
            elif fields[record.VERDICT] == PASS:
                presence.came(who, unix, seq)
        except PresenceError as e:
            print("ledger:", e)

    def _who(self, sub: object, cti: object) -> bytes:
        """Who somebody is for counting, veiled: the pseudonym, or a hash of the code where there is none."""
        if not isinstance(sub, bytes) or not sub:
            sub = sha256(cti if isinstance(cti, bytes) else b"")[:16]
        # One block, and nobody is noted who is not random to begin with.
        return cryptolib.aes(self._own, _ECB).encrypt(sub)
