import struct

from firmware.core import table
from firmware.core.hmac256 import sha256
from firmware.core.packmemory import Memory
from firmware.core.table import Table, TableError, encode_book, encode_table, key_of


class Source(Memory):
    """A file that counts how often and how much of it is read."""

    def __init__(self, data):
        super().__init__(data)
        self.data = data
        self.reads = 0
        self.longest = 0

    def read(self, length):
        self.reads += 1
        self.longest = max(self.longest, length)
        return super().read(length)


def opened(data):
    return Table(Source(data), len(data))


def refused(function, *arguments):
    try:
        function(*arguments)
    except TableError:
        return True
    return False


def numbered(count, value_bytes=0):
    """Rows whose keys are hashes."""
    return [(key_of(str(i)), bytes([i & 255]) * value_bytes) for i in range(count)]


def test_layout():
    data = encode_table([(b"b" * 8, b"2"), (b"a" * 8, b"1")], 1, b"tail")
    assert data == b"YT1\n\x00\x01\x00\x00\x00\x00\x00\x02" + b"a" * 8 + b"1" + b"b" * 8 + b"2" + b"tail"
    found = opened(data)
    assert found.count == 2 and found.record(1) == b"b" * 8 + b"2"
    assert refused(found.record, 2) and refused(found.record, -1) and refused(found.find, b"short")


def test_every_key_is_found_and_no_other():
    for count in (0, 1, 2, 15, 16, 31, 32, 33, 64, 100, 333):
        for value_bytes in (0, 1, 8, 100):
            rows = numbered(count, value_bytes)
            found = opened(encode_table(rows, value_bytes))
            for key, value in rows:
                assert found.find(key) == [value]
            for i in range(40):
                assert found.find(key_of("other %d" % i)) == []
            assert found.find(bytes(8)) == [] and found.find(b"\xff" * 8) == []


def test_keys_that_are_no_hashes_are_found_too():
    for step in (1, 1 << 40):
        rows = [(struct.pack(">Q", 7 + i * step), struct.pack(">H", i)) for i in range(700)]
        found = opened(encode_table(rows, 2))
        for key, value in rows:
            assert found.find(key) == [value]
        assert found.find(struct.pack(">Q", 6)) == [] and found.find(struct.pack(">Q", 7 + 700 * step)) == []
    # A cluster at one end, and the rest far away: guesses lead astray.
    rows = [(struct.pack(">Q", i), b"") for i in range(600)] + [
        (b"\xff" * 7 + bytes([i]), b"") for i in range(9)
    ]
    found = opened(encode_table(rows, 0))
    for key, _ in rows:
        assert found.find(key) == [b""]
    assert found.find(struct.pack(">Q", 600)) == []


def test_one_key_many_times():
    many = key_of("many")
    for others in (0, 10, 200):
        rows = numbered(others, 60) + [(many, bytes([i]) * 60) for i in range(16)]
        found = opened(encode_table(rows, 60)).find(many)
        assert found == [bytes([i]) * 60 for i in range(16)], "in the order given"
    assert refused(encode_table, [(many, b"")] * 17, 0)


def test_few_and_short_reads():
    source = Source(encode_table(numbered(5000), 0))
    searched = Table(source, len(source.data))
    assert source.reads == 1 and source.longest == table.HEADER_BYTES
    worst = total = 0
    for i in range(0, 6000, 60):
        source.reads = 0
        assert bool(searched.find(key_of(str(i)))) == (i < 5000)
        worst = max(worst, source.reads)
        total += source.reads
    assert worst <= 8 and total <= 350, (worst, total)
    assert source.longest <= 256
    # The worst case: keys that double.
    rows = [(struct.pack(">Q", 1 << i | j), b"") for i in range(10, 62) for j in range(100)]
    source = Source(encode_table(rows, 0))
    searched = Table(source, len(source.data))
    for key, _ in rows[::50]:
        source.reads = 0
        assert searched.find(key) == [b""]
        assert source.reads <= 4 + 8 + 2, source.reads


def test_not_a_table():
    good = encode_table(numbered(4, 2), 2)
    assert not refused(opened, good)
    for bad in (b"", good[:11], good[:-1], b"YT2\n" + good[4:], good[:6] + b"\0\1" + good[8:]):
        assert refused(opened, bad), bad[:12]
    assert refused(opened, good[:4] + b"\0\xf9" + good[6:]), "records longer than a read"
    assert refused(opened, good[:8] + b"\xff\xff\xff\xff" + good[12:])
    # A file that gives less than it is long.
    short = Source(good[:40])
    assert refused(Table(short, len(good)).find, key_of("0"))


def test_rows_that_make_no_table():
    assert refused(encode_table, [(b"1234567", b"")], 0)
    assert refused(encode_table, [(b"12345678", b"1")], 0)
    assert refused(encode_table, [], 249) and refused(encode_table, [], -1)


def blobs(data, key):
    book = opened(data)
    return [book.blob(value) for value in book.find(key)]


def test_book():
    rows = [
        (key_of("b"), b"two"),
        (key_of("a"), b""),
        (key_of("b"), b"three" * 99),
        (key_of("c"), b"x" * 4096),
    ]
    data = encode_book(rows)
    assert blobs(data, key_of("b")) == [b"two", b"three" * 99]
    assert blobs(data, key_of("a")) == [b""] and blobs(data, key_of("z")) == []
    assert blobs(data, key_of("c")) == [b"x" * 4096]
    book = opened(data)
    found = [book.blob(book.record(i)[8:]) for i in range(book.count)]
    assert sorted(found) == sorted(blob for _, blob in rows)
    assert refused(blobs, encode_book([(key_of("c"), b"x" * 4097)]), key_of("c"))


def test_not_a_book():
    key = key_of("0")
    assert refused(blobs, encode_table(numbered(1, 7), 7), key)
    for offset, length in ((0, 5), (1, 4), (0xFFFFFFFF, 1)):
        data = encode_table([(key, struct.pack(">II", offset, length))], 8, b"tail")
        assert refused(blobs, data, key), (offset, length)


def test_key_of():
    assert key_of("张") == key_of("张".encode()) == sha256("张".encode())[:8]
