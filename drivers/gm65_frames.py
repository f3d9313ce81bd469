"""The GM65's wire format: command frames, and the byte stream cut into replies and texts. Pure, no waiting.

A command is ``7E 00 | type | n | address (2) | data (n) | CRC (2)``, a reply is ``02 00 | 00 | n | data (n) |
CRC (2)``; both CRCs are CRC-16/XMODEM over all but the first two bytes. What stands in a code comes as bare
text with a carriage return behind it (Grow GM65-S user manual, chapters 2, 7, 9).
"""

#: Longest text that is kept. A longer one is cut to one byte more, so that whoever checks lengths sees it.
PAYLOAD_LIMIT = 4096

#: Kinds of what `Frames.feed` returns.
REPLY = 0
TEXT = 1
EMBEDDED = 2

#: Types of commands; the first reads as many zones as its data byte says.
READ = 7
WRITE = 8
SAVE = 9

_CR = 0x0D
_LF = 0x0A
_REPLY_HEAD = b"\x02\x00\x00"
#: The driver asks for one zone or two (the baud divisor); a longer "reply" is noise.
_REPLY_DATA_LIMIT = 2


def crc16(data: "bytes | bytearray") -> int:
    """CRC-16/XMODEM of `data`: polynomial 0x1021, start 0, most significant bit first."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc


def command(kind: int, address: int, data: bytes) -> bytes:
    """A command frame; `kind` is 7 to read (data: how many zones), 8 to write, 9 to save."""
    body = bytes((kind, len(data), address >> 8, address & 0xFF)) + data
    crc = crc16(body)
    return b"\x7e\x00" + body + bytes((crc >> 8, crc & 0xFF))


class Frames:
    """Cuts the module's byte stream into replies and texts, whatever the chunks it arrives in.

    A reply is taken out wherever it stands, also in the middle of a text; what only looks like the start of
    one is text. Memory is taken as a text grows, up to `limit` + 1 bytes; a text that there is no memory for
    is dropped as a whole. The next carriage return ends whatever went before.
    """

    def __init__(self, limit: int = PAYLOAD_LIMIT) -> None:
        self._limit = limit
        self._text = bytearray()
        #: How much of the text has come, also where it could not be kept.
        self._length = 0
        #: Bytes that may be the start of a reply.
        self._head = bytearray()
        self._after_tail = False

    @property
    def open(self) -> bool:
        """Whether a text or reply has begun and not ended."""
        return self._length > 0 or len(self._head) > 0

    @property
    def in_text(self) -> bool:
        """Whether a text has begun and not ended."""
        return self._length > 0

    def reset(self) -> None:
        """Forget a text or reply that has begun."""
        self._text = bytearray()
        self._length = 0
        self._head = bytearray()
        self._after_tail = False

    def feed(self, data: bytes) -> "list[tuple[int, bytes]]":
        """Take bytes from the module; returns what they complete, in the order in which it ended.

        (REPLY, data), (EMBEDDED, data) for a reply that came within a text, or (TEXT, text without its tail).
        A text over the limit comes cut to one byte more. Empty texts are dropped, and so is the line feed of
        a CR LF tail.
        """
        events: "list[tuple[int, bytes]]" = []
        at = 0
        end = len(data)
        while at < end:
            if self._head:
                self._candidate(data[at], events)
                at += 1
                continue
            if self._after_tail:
                self._after_tail = False
                if data[at] == _LF:
                    at += 1
                    continue
            stop = end
            for special in (b"\r", b"\x02"):
                found = data.find(special, at, stop)
                if found >= 0:
                    stop = found
            self._append(data, at, stop)
            at = stop
            if at < end:
                if data[at] == _CR:
                    self._end_text(events)
                else:
                    self._head = bytearray(data[at : at + 1])
                at += 1
        return events

    def _append(self, data: bytes, start: int, end: int) -> None:
        """Add data[start:end] to the text, as far as it fits."""
        count = min(end - start, self._limit + 1 - self._length)
        if len(self._text) == self._length:
            try:
                self._text.extend(data[start : start + count])
            except MemoryError:
                self._text = bytearray()
        self._length += count

    def _end_text(self, events: "list[tuple[int, bytes]]") -> None:
        if self._length and len(self._text) == self._length:
            try:
                events.append((TEXT, bytes(self._text)))
            except MemoryError:
                pass
        self._text = bytearray()
        self._length = 0
        self._after_tail = True

    def _candidate(self, byte: int, events: "list[tuple[int, bytes]]") -> None:
        """Take the next byte of what may be a reply."""
        head = self._head
        head.append(byte)
        size = len(head)
        if size <= 3:
            good = byte == _REPLY_HEAD[size - 1]
        elif size == 4:
            good = 1 <= byte <= _REPLY_DATA_LIMIT
        elif size < head[3] + 6:
            return
        else:
            good = crc16(head[2:-2]) == head[-2] << 8 | head[-1]
            if good:
                events.append((EMBEDDED if self._length else REPLY, bytes(head[4:-2])))
                self._head = bytearray()
                return
        if not good:
            # Its first byte is text after all; the others may hold the start of a true reply, or the tail.
            self._head = bytearray()
            self._append(bytes(head[:1]), 0, 1)
            events.extend(self.feed(bytes(head[1:])))
