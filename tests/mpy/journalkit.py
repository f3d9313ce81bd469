"""What the tests of the sealed journal share: records, a server that cannot open them, checks."""

from sealkit import DEVICE, QuickSealing

from firmware.core import cbor, ring_format
from firmware.core.record import GENESIS
from firmware.services.journal import Journal

NOW = 1_800_000_000


def journal(flash, sealing=None):
    j = Journal(flash, sealing or QuickSealing(), lambda: DEVICE, lambda: NOW)
    j.open()
    return j


def rec(seq, size=60):
    return cbor.dumps({1: seq, 2: 1_800_000_000 + seq, 4: "x" * (size - 20)})


def add(j, count, size=60):
    for _ in range(count):
        j.append(rec(j.next_seq, size))


def raises(kind, call, *args):
    try:
        call(*args)
    except kind as e:
        assert type(e) is kind, e
        return e
    raise AssertionError("%s was not raised" % kind)


def tend(j):
    for _ in j.tend_steps():
        pass


def is_head(item):
    return item[:2] == b"\xd8\x60"


def sequence_of(sealed):
    assert sealed[:8] == b"\x83\x43\xa1\x01\x0a\xa1\x06\x44"
    return int.from_bytes(sealed[8:12], "big")


class Server:
    """Takes batches as a server would that cannot open them: chain and order alone."""

    def __init__(self):
        self.held = 0
        self.chain = GENESIS
        self.head = b""
        self.begun = []

    def take(self, first, before, items):
        """Returns how many records came."""
        assert first == self.held + 1 and before == self.chain
        count = 0
        head = b""
        for item in items:
            if is_head(item):
                head = item
                continue
            assert head, "record without its head"
            self.held += 1
            count += 1
            assert sequence_of(item) == self.held
            begins = head if first_of(head) == self.held else b""
            if begins:
                self.begun.append(self.held)
            assert begins or head == self.head or count == 1
            self.chain = ring_format.chain(self.chain, begins, item)
            self.head = head
        return count


def first_of(head):
    protected = cbor.loads(head).value[0]
    device, first = cbor.loads(protected)[-65537]
    assert device == DEVICE
    return first


def drain(j, server, records=100, size=100_000):
    while j.pending:
        assert server.take(*j.batch(records, size)) > 0
        j.acknowledge(server.held)


def check(j, server):
    """Everything that waits continues what the server holds, up to the journal's own chain value."""
    copy = Server()
    copy.held, copy.chain, copy.head = server.held, server.chain, server.head
    first, before, items = j.batch(100_000, 10_000_000)
    assert copy.take(first, before, items) == j.pending
    assert copy.chain == j.chain_value
    assert copy.held + 1 == j.next_seq


def check_after(j):
    """As `check`, from wherever the journal's cursor stands."""
    server = Server()
    server.held, server.chain = j.acked, j.batch(1, 1000)[1]
    check(j, server)


def party(j, count, size=60):
    j.append_all([rec(j.next_seq + n, size) for n in range(count)])
