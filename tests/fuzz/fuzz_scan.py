"""Mutation fuzz of what a stranger can send, codes, packs and sync replies, under both interpreters.

    fuzz_scan.py SEED COUNT [fuel=NUMBER] [CORPUS-FILE...]

Prints how often each outcome came. Ends with an error, and the input in hex, where one raised anything but a
named error, a changed code was accepted, or a case allocated more than 64 kB in all (never less than what it
holds at once). On CPython every 50th case and all of the corpus are also held to three times the work of a
valid scan: opcodes of Python code, as sys.settrace counts them. They repeat exactly, unlike time, and count
what a stranger can drive up; what C does per input byte is bounded by the limits on text (4,096 bytes), on
the inflated message (16,384) and on CBOR items. In WebAssembly, with ``fuel=``, every case is held to that
much fuel, which counts C's work too; memory is not looked at there, as that build cannot collect garbage.
Packs are exempt behind their signature.
"""

import gc
import sys
from binascii import hexlify, unhexlify

sys.path.insert(0, __file__.rpartition("/")[0] + "/../unit")

import ym1
from signer import run

from firmware.core import base45, cbor, codes, cose, message, p256, pack, reasons, trust
from firmware.core.packmemory import Memory
from firmware.core.packview import Pack
from firmware.core.scene import Scene, encode_scene
from firmware.core.sheet import SheetError, encode_frames, parse_frame
from firmware.core.table import encode_book, encode_table, key_of

MICROPYTHON = sys.implementation.name == "micropython"
WASM = getattr(sys.implementation, "_build", "") == "wasi"
if WASM:
    import host
MAX_ALLOCATED = 64 * 1024
MAX_WORK = 3
NONCE = b"n" * 16
KEY = b"k" * 32
EU_KID = b"eu-eu-eu"


class Finding(Exception):
    """What must not happen; the message says what."""


class Rng:
    """xorshift32, alike under both interpreters."""

    def __init__(self, seed):
        self.state = seed or 1

    def below(self, limit):
        x = self.state
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        self.state = x
        return x % limit

    def octets(self, count):
        return bytes([self.below(256) for _ in range(count)])


def adler32(data):
    a, b = 1, 0
    for byte in data:
        a = (a + byte) % 65521
        b = (b + a) % 65521
    return b << 16 | a


def stored(data):
    """A zlib stream of one stored block."""
    size = len(data)
    head = b"\x78\x01\x01" + bytes((size & 255, size >> 8, ~size & 255, ~size >> 8 & 255))
    return head + data + adler32(data).to_bytes(4, "big")


def eu_message():
    hcert = {
        "ver": "1.3.0",
        "nam": {"fn": "B", "gn": "A"},
        "dob": "1990-01-01",
        "v": [{"dn": 1, "ci": "U:1"}],
    }
    payload = cbor.dumps({1: "XX", 4: ym1.NOW + 99, 6: ym1.NOW - 99, -260: {1: hcert}})
    protected = cbor.dumps({1: -7, 4: EU_KID})
    return cose.encode_sign1(protected, payload, ym1.ISSUER.sign(cose.sig_structure(protected, payload)))


YM1_TEXT = ym1.code()
YM1_MESSAGE = base45.decode(YM1_TEXT[4:])
EU_MESSAGE = eu_message()
EU_TEXT = b"HC1:" + base45.encode(stored(EU_MESSAGE)).encode()
TRUSTED = ym1.trusting(ym1.key(), ym1.key(kid=EU_KID, kinds=[3]))
ENTRIES = [[kind, kind * 7, bytes(32)] for kind in range(1, 11)]
MANIFEST_PAYLOAD = cbor.dumps({1: 1, 2: ym1.NOW, 3: ym1.NOW + 9, 4: ENTRIES})
MANIFEST_HEADER = cbor.dumps({1: -7, 4: trust.kid_of_key(ym1.ISSUER.public)})
LIST = cose.encode_sign1(
    MANIFEST_HEADER,
    MANIFEST_PAYLOAD,
    ym1.ISSUER.sign(cose.sig_structure(MANIFEST_HEADER, MANIFEST_PAYLOAD)),
)
SUB = b"s" * 16
PARTS = {
    pack.KEYS: encode_book([(EU_KID, trust.encode_issuer_key(ym1.key()))] * 3),
    pack.REVOCATIONS: encode_table([(pack.revocation_key(pack.SUBJECT, SUB), b"")] * 3, 0),
    pack.REVOCATION_CHANGES: encode_table([(pack.revocation_key(pack.CODE, SUB), b"\1")], 1),
    pack.SCENES: encode_book([(key_of("x"), encode_scene(Scene("x")))]),
    pack.RULES: encode_book([(bytes(8), b"rule")]),
    pack.VALUE_SETS: encode_book([(key_of("v"), cbor.dumps(["a"]))]),
    pack.TEXTS: encode_book([(pack.text_key(1001, 1), b"Reason\nAdvice")]),
    pack.ROSTER: encode_table([(key_of(SUB), b"\1")], 1),
    pack.SEALING_KEY: bytes(72),
    pack.CONFIG: cbor.dumps({1: bytes(24)}),
}
FRAME = encode_frames(LIST)[0].encode()
REPLY = cose.encode_mac0(KEY, b"device", message.encode_sync_reply(7, ym1.NOW, NONCE, LIST, "hello"))
SIGNED = [cose.parse_sign1(data) for data in (YM1_MESSAGE, EU_MESSAGE, LIST)]
GOOD = [(cose.sign1_digest(sign1), sign1.signature) for sign1 in SIGNED]
PAYLOADS = [sign1.payload for sign1 in SIGNED]
# Pieces that decoders stumble over: heads that lie, breaks, indefinite lengths, nesting, bad text.
HEX = (
    "ff 9f bf 5f 7f f7 f97e00 fb7ff0000000000000 1bffffffffffffffff 5bffffffffffffffff 9bffffffffffffffff"
    " bb0000000100000000 62c080 63eda080 7a00010000 d83d d2 18 40 a0"
)
PIECES = [unhexlify(piece) for piece in HEX.split(" ")]
PIECES += [b"\xc6" * 20, b"\x81" * 40, b"\x9f" * 40, b"\x80" * 300, b"\xa1\0\0" * 40]


def mutated(rng, data):
    """A few changes to `data`: bits, bytes, cuts, copies, strange pieces; at most 4 kB come out."""
    for _ in range(1 + rng.below(3)):
        at = rng.below(len(data) + 1)
        kind = rng.below(8)
        if kind == 0 and at < len(data):
            data = data[:at] + bytes((data[at] ^ 1 << rng.below(8),)) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + rng.octets(1) + data[at + 1 :]
        elif kind == 2:
            data = data[:at]
        elif kind == 3:
            data = data[:at] + data[at + 1 + rng.below(8) :]
        elif kind == 4:
            end = at + rng.below(64)
            data = data[:at] + data[at:end] * (1 + rng.below(20)) + data[end:]
        elif kind == 5:
            data = data[:at] + PIECES[rng.below(len(PIECES))] + data[at:]
        elif kind == 6:
            data = data[:at] + PIECES[rng.below(len(PIECES))] + data[at + 1 + rng.below(8) :]
        else:
            data = data[:at] + rng.octets(rng.below(40)) + data[at:]
    return data[:4096]


def only_good(public_key, digest, signature):
    """What a verifier answers: nobody has signatures but the issuers."""
    return (digest, signature) in GOOD
    yield


def any_at_all(public_key, digest, signature):
    """An issuer gone mad: its claims come through to those who read them."""
    return True
    yield


def check_code(text, verify_steps=only_good):
    """The outcome's name; raises Finding where a code passes whose claims nobody signed."""
    checked = run(codes.check_steps(text, TRUSTED, ym1.NOW, verify_steps))
    name = reasons.name_of(checked.reason)
    if (checked.code is None) != (checked.reason != reasons.OK):
        raise Finding("reason and code contradict")
    if checked.code and verify_steps is only_good and checked.code.payload not in PAYLOADS:
        raise Finding("accepted")
    return name


def check_mad_code(text):
    return check_code(text, any_at_all)


def check_list(data):
    """A manifest: nobody but the root makes one."""
    try:
        opened = run(pack.open_steps(data, ym1.ISSUER.public, only_good))
    except pack.PackError:
        return "refused"
    if opened.version != 1 or [[kind, length, digest] for kind, length, digest in opened.parts()] != ENTRIES:
        raise Finding("accepted")
    return "list"


def check_mad_list(data):
    """A manifest of a root gone mad."""
    try:
        pack.parse_payload(data)
    except pack.PackError:
        return "refused"
    return "list"


def check_part(data):
    """A part that is not what its hash says, as a flash may damage it: its kind, then its bytes."""
    kind, data = data[0] % 10 + 1, data[1:]
    manifest = pack.Manifest(1, 0, 0, pack.encode_entry(kind, len(data), bytes(32)))
    found = Pack(manifest, lambda length, digest: Memory(data))
    look = (
        lambda: found.find(EU_KID),
        lambda: found.revoked(pack.SUBJECT, SUB),
        lambda: found.revoked(pack.CODE, SUB),
        lambda: found.scene("x"),
        lambda: list(found.rules()),
        lambda: found.value_set("v"),
        lambda: found.text(1001, "en"),
        lambda: found.role(SUB),
        found.sealing_key,
        found.config,
    )[kind - 1]
    if look():
        return "found"
    return "damaged" if found.damaged else "nothing"


def check_frame(text):
    """A frame of a sheet: what is taken was printed."""
    try:
        _, _, _, piece = parse_frame(text)
    except SheetError:
        return "refused"
    if piece != LIST:
        raise Finding("accepted")
    return "frame"


def check_reply(data):
    try:
        mac = cose.parse_mac0(data)
        if not mac.verify(KEY):
            return "wrong tag"
        if mac.payload != cose.parse_mac0(REPLY).payload:
            raise Finding("accepted")
        message.parse_sync_reply(mac.payload, NONCE)
    except (cose.CoseError, message.MessageError):
        return "refused"
    return "reply"


def check_mad_reply(data):
    try:
        message.parse_sync_reply(data, NONCE)
    except message.MessageError:
        return "refused"
    return "reply"


def as_text(prefix, data):
    """A text whose base45 is in order, so that the mutation reaches what lies behind."""
    return (prefix + base45.encode(data).encode())[:4096]


def case(rng):
    """One of the checks and what to give it."""
    kind = rng.below(14)
    if kind == 0:
        return check_code, mutated(rng, YM1_TEXT)
    if kind == 1:
        return check_code, mutated(rng, EU_TEXT)
    if kind == 2:
        return check_code, as_text(b"YM1:", mutated(rng, YM1_MESSAGE))
    if kind == 3:
        return check_code, as_text(b"HC1:", stored(mutated(rng, EU_MESSAGE)))
    if kind == 4:
        return check_code, as_text(b"HC1:", mutated(rng, stored(EU_MESSAGE)))
    if kind == 5:
        payload = mutated(rng, PAYLOADS[0])
        return check_mad_code, as_text(b"YM1:", cose.encode_sign1(SIGNED[0].protected, payload, bytes(64)))
    if kind == 6:
        payload = mutated(rng, PAYLOADS[1])
        return check_mad_code, as_text(
            b"HC1:", stored(cose.encode_sign1(SIGNED[1].protected, payload, bytes(64)))
        )
    if kind == 7:
        return check_list, mutated(rng, LIST)
    if kind == 8:
        return check_mad_list, mutated(rng, PAYLOADS[2])
    if kind == 9:
        return check_reply, mutated(rng, REPLY)
    if kind == 10:
        return check_mad_reply, mutated(rng, cose.parse_mac0(REPLY).payload)
    if kind == 11:
        return check_frame, mutated(rng, FRAME)
    which = rng.below(10)
    return check_part, bytes((which,)) + mutated(rng, PARTS[which + 1])


def work(check, data):
    """Opcodes of Python code that one call takes; CPython only."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        if event == "opcode":
            count += 1
        return trace

    sys.settrace(trace)
    try:
        check(data)
    finally:
        sys.settrace(None)
    return count


def check_wholly(text):
    """A scan with the signature."""
    return reasons.name_of(run(codes.check_steps(text, TRUSTED, ym1.NOW, p256.verify_steps)).reason)


def held(check, data):
    """The outcome; raises Finding where memory ran past the limit."""
    if WASM or not MICROPYTHON:
        return check(data)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    try:
        name = check(data)
    except MemoryError:
        raise Finding("memory") from None
    finally:
        allocated = gc.mem_alloc() - before
        gc.enable()
    if allocated > MAX_ALLOCATED:
        raise Finding("%d bytes allocated" % allocated)
    return name


def burnt(check, data):
    """The fuel that a call takes; WebAssembly only."""
    between = [int(host.call("fuel", "")) for _ in range(2)]
    check(data)
    return 2 * between[1] - between[0] - int(host.call("fuel", ""))


def main(seed, count, corpus):
    fuel = 0
    if corpus and corpus[0][:5] == "fuel=":
        fuel = int(corpus.pop(0)[5:])
    for text, want in ((YM1_TEXT, "ok"), (EU_TEXT, "ok")):
        assert check_code(text) == check_mad_code(text) == want
    assert check_list(LIST) == check_mad_list(PAYLOADS[2]) == "list"
    assert check_reply(REPLY) == "reply" and check_frame(FRAME) == "frame"
    assert [check_part(bytes((kind - 1,)) + PARTS[kind]) for kind in range(1, 11)] == ["found"] * 10
    allowed = 0 if MICROPYTHON else MAX_WORK * work(check_wholly, EU_TEXT)
    outcomes = {}
    most = [0]

    def one(check, data, measured):
        try:
            name = held(check, data)
            if measured and allowed and check not in (check_mad_list, check_part):
                spent = work(check, data)
                if spent > allowed:
                    raise Finding("work %d, allowed are %d" % (spent, allowed))
            if fuel and check not in (check_mad_list, check_part):
                spent = burnt(check, data)
                most[0] = max(most[0], spent)
                if spent > fuel:
                    raise Finding("fuel %d, allowed are %d" % (spent, fuel))
        except Exception:
            print("INPUT", check.__name__, hexlify(data).decode())
            raise
        label = check.__name__ + ": " + name
        outcomes[label] = outcomes.get(label, 0) + 1

    for path in corpus:
        with open(path, "rb") as file:
            data = file.read()
        for check in (check_code, check_mad_code, check_list, check_mad_list, check_reply, check_mad_reply):
            one(check, data, True)
    rng = Rng(seed)
    kept = 0
    for i in range(count):
        if MICROPYTHON and not WASM and i in (count // 10, count - 1):
            gc.collect()
            kept = gc.mem_alloc() - kept
        check, data = case(rng)
        one(check, data, i % 50 == 0)
    if kept > MAX_ALLOCATED:
        raise Finding("%d bytes kept" % kept)
    for label in sorted(outcomes):
        print(label, outcomes[label])
    if fuel:
        print("most fuel", most[0])


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
