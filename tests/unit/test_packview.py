from firmware.core import cbor, cose, pack, trust
from firmware.core.hmac256 import sha256
from firmware.core.packmemory import in_memory
from firmware.core.scene import Scene, encode_scene
from firmware.core.table import encode_book, encode_table, key_of

KID = b"kid-kid-"
SUB = b"s" * 16


def issuer(name):
    return trust.IssuerKey(KID, cose.ES256, bytes(64), name, 1, 2, [trust.KIND_LIVE, trust.KIND_PLACE])


def scene(id, rank):
    made = Scene(id)
    made.rank = rank
    return encode_scene(made)


def opened(parts):
    """A pack of (kind, bytes) parts."""
    listed = [[kind, len(data), sha256(data)] for kind, data in parts]
    manifest = pack.parse_payload(cbor.dumps({1: 3, 2: 10, 3: 20, 4: listed}))
    return in_memory(manifest, [data for _, data in parts])


def revocations(*rows):
    return [(pack.revocation_key(what, identity), value) for what, identity, value in rows]


def test_what_a_pack_says():
    found = opened(
        [
            (pack.KEYS, encode_book([(KID, trust.encode_issuer_key(issuer(name))) for name in ("a", "b")])),
            (pack.SCENES, encode_book([(key_of(id), scene(id, rank)) for id, rank in (("x", 2), ("y", 1))])),
            (pack.RULES, encode_book([(i.to_bytes(8, "big"), b"rule %d" % i) for i in range(40)])),
            (pack.VALUE_SETS, encode_book([(key_of("tests"), cbor.dumps(["a", "b"]))])),
            (
                pack.TEXTS,
                encode_book(
                    [(pack.text_key(1001, 1), b"Reason\nAdvice"), (pack.text_key(1001, 0), "原因".encode())]
                ),
            ),
            (pack.ROSTER, encode_table([(key_of(SUB), b"\x03")], 1)),
            (pack.SEALING_KEY, b"k" * 64 + b"i" * 8),
            (pack.CONFIG, cbor.dumps({1: b"pin"})),
        ]
    )
    assert (found.version, found.issued_unix, found.expires_unix) == (3, 10, 20)
    assert [key.issuer for key in found.find(KID)] == ["a", "b"] and found.find(b"nobody--") == []
    assert [key.issuer for key in found.issuer_keys()] == ["a", "b"]
    assert found.find(KID)[0].kinds == [trust.KIND_LIVE, trust.KIND_PLACE]
    assert found.scene("x").rank == 2 and found.scene("z") is None and found.scene_ids() == ["y", "x"]
    assert list(found.rules()) == [b"rule %d" % i for i in range(40)]
    assert cbor.loads(found.value_set("tests").data) == ["a", "b"] and found.value_set("other") is None
    assert found.text(1001, "en") == ("Reason", "Advice") and found.text(1001, "zh") == ("原因", "")
    assert found.text(1002, "en") is None
    assert found.role(SUB) == pack.RETURNING and found.role(bytes(16)) == pack.VISITOR
    assert found.sealing_key() == (b"k" * 64, b"i" * 8) and found.config() == {1: b"pin"}
    assert found.damaged == 0


def test_a_pack_without_parts():
    found = opened([])
    assert found.find(KID) == [] and list(found.issuer_keys()) == [] and list(found.rules()) == []
    assert not found.revoked(pack.SUBJECT, SUB) and found.role(SUB) == pack.VISITOR
    assert found.scene("x") is None and found.scene_ids() == [] and found.value_set("v") is None
    assert found.text(1, "zh") is None and found.sealing_key() is None and found.config() is None
    assert found.damaged == 0


def test_revocations_and_their_changes():
    base = encode_table(
        revocations((pack.SUBJECT, SUB, b""), (pack.CODE, b"c", b""), (pack.KEY, KID, b"")), 0
    )
    changes = encode_table(revocations((pack.CODE, b"c", b"\0"), (pack.CODE, b"d", b"\1")), 1)
    for parts, expected in (
        ([(pack.REVOCATIONS, base)], [True, True, False, True]),
        ([(pack.REVOCATION_CHANGES, changes)], [False, False, True, False]),
        ([(pack.REVOCATIONS, base), (pack.REVOCATION_CHANGES, changes)], [True, False, True, True]),
    ):
        found = opened(parts)
        asked = ((pack.SUBJECT, SUB), (pack.CODE, b"c"), (pack.CODE, b"d"), (pack.KEY, KID))
        for _ in range(2):
            assert [found.revoked(what, identity) for what, identity in asked] == expected
            assert not found.revoked(pack.SUBJECT, KID), "of its kind only"
            found.close()
        assert found.damaged == 0


def lookups(found):
    return (
        (pack.KEYS, lambda: found.find(KID)),
        (pack.REVOCATIONS, lambda: found.revoked(pack.SUBJECT, SUB)),
        (pack.SCENES, lambda: found.scene("x")),
        (pack.SCENES, found.scene_ids),
        (pack.RULES, lambda: list(found.rules())),
        (pack.VALUE_SETS, lambda: found.value_set("v")),
        (pack.TEXTS, lambda: found.text(1, "zh")),
        (pack.ROSTER, lambda: found.role(SUB)),
        (pack.SEALING_KEY, found.sealing_key),
        (pack.CONFIG, found.config),
    )


def test_damage_is_told_and_nothing_is_found():
    blob = b"\xff\n\xff"
    keys = (KID, key_of("x"), key_of("v"), pack.text_key(1, 0), key_of(SUB), bytes(8))
    for data in (b"", b"junk" * 9, encode_table([(key, b"\xff" * 8) for key in keys], 8)):
        parts = [(kind, data + bytes(kind)) for kind in range(1, 11)]
        found = opened(parts)
        for kind, look in lookups(found):
            if data[:1] == b"Y" and kind in (pack.REVOCATIONS, pack.ROSTER):
                continue  # a value is a value
            found.damaged = 0
            assert not look(), kind
            assert found.damaged >> kind & 1 or kind == pack.SEALING_KEY, kind
            assert not look(), "nor the second time"
    found = opened([(pack.TEXTS, encode_book([(pack.text_key(1, 0), blob)]))])
    assert found.text(1, "zh") is None and found.damaged == 1 << pack.TEXTS


def test_a_part_that_is_not_there():
    whole = opened([(kind, bytes((kind,))) for kind in range(1, 11)])
    found = in_memory(whole, [])
    for kind, look in lookups(found):
        found.damaged = 0
        assert not look() and found.damaged >> kind & 1, kind


def test_a_strangers_kid_is_no_damage():
    found = opened([(pack.KEYS, encode_book([(KID, trust.encode_issuer_key(issuer("a")))]))])
    for kid in (b"", b"k", KID[:7], KID + b"-", bytes(2048)):
        assert found.find(kid) == [] and found.damaged == 0
    assert found.find(KID)[0].issuer == "a"


def test_the_key_of_the_code_before_is_not_read_again():
    book = encode_book([(KID, trust.encode_issuer_key(issuer("a")))])
    found = opened([(pack.KEYS, book)])
    reads = []
    open_part = found._open_part
    found._open_part = lambda *part: reads.append(part) or open_part(*part)
    for _ in range(3):
        assert [key.issuer for key in found.find(KID)] == ["a"] and len(reads) == 1
    assert found.find(b"nobody--") == [] and len(reads) == 2
    assert [key.issuer for key in found.find(KID)] == ["a"] and len(reads) == 2, "a stranger's stays unknown"
    found.damaged = 1 << pack.KEYS
    assert found.find(KID) == [], "nothing of a damaged part is believed"
