"""Packs for tests of the stores: quickly signed and verified, with parts that look like the real ones."""

from firmware.core import cose, pack, trust
from firmware.core.hmac256 import sha256
from firmware.core.table import encode_book, encode_table, key_of
from firmware.services.packs import PackStore
from firmware.services.settings import Settings

NOW = 1_800_000_000
ISSUER = b"issuer" + bytes(58)


class Root:
    """A root key whose signatures are hashes: the real ones are p256's affair."""

    def __init__(self, name):
        self.public = sha256(name) + sha256(name, b"y")

    def sign(self, data):
        return signature(self.public, sha256(data))


def signature(key, digest):
    return sha256(key, digest) + sha256(digest, key)


def verify_steps(key, digest, given):
    yield None
    return given == signature(key, digest)


ROOT = Root(b"root")
NEXT = Root(b"next")


def drive(steps):
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


def parts_of(version, extra=0):
    """Parts that are new with every version but for the roster."""
    issuer = trust.IssuerKey(
        trust.kid_of_key(ISSUER), cose.ES256, ISSUER, "省 %d" % version, 0, NOW * 2, [1, 2]
    )
    revoked = [(pack.revocation_key(pack.SUBJECT, b"gone %d" % version), b"")]
    revoked.extend((key_of("%d-%d" % (version, i)), b"") for i in range(extra))
    return [
        (pack.KEYS, encode_book([(issuer.kid, trust.encode_issuer_key(issuer))])),
        (pack.REVOCATIONS, encode_table(revoked, 0)),
        (pack.ROSTER, encode_table([(key_of(b"s" * 16), b"\x01")], 1)),
    ]


def manifest_of(version, parts=None, root=ROOT, expires_unix=NOW + 9999):
    return pack.encode_manifest(
        version, NOW - 9, expires_unix, parts_of(version) if parts is None else parts, root.public, root.sign
    )


def rotated(version, parts=None, old=ROOT, new=NEXT):
    return pack.encode_rotation(manifest_of(version, parts, new), new.public, old.public, old.sign)


def provision(root=ROOT):
    Settings("/flash").update({"root_key": root.public})


def store(verify=verify_steps):
    return PackStore("/flash/pack", Settings("/flash"), verify)


def started(verify=verify_steps):
    found = store(verify)
    drive(found.load_steps())
    return found


def fetch(packs, manifest, parts, meanwhile=lambda: None):
    """Bring the missing parts as a server would; how many they were. `meanwhile` is called between pieces."""
    by_digest = {sha256(data): data for _, data in parts}
    missing = packs.missing(manifest)
    for _, length, digest in missing:
        sink = packs.sink(length, digest)
        data = by_digest[digest]
        while sink.offset < length:
            sink.write(data[sink.offset : sink.offset + 1400])
            meanwhile()
        drive(sink.finish_steps())
    return len(missing)


def install(packs, version, parts=None, data=None, now_unix=NOW):
    """The whole way of a pack into force."""
    parts = parts_of(version) if parts is None else parts
    manifest = drive(packs.stage_steps(data or manifest_of(version, parts), now_unix))
    fetch(packs, manifest, parts)
    return packs.commit(manifest)


def issuer_of(packs):
    """What a scan would find: the number in the issuer's name, which the revocations must agree with."""
    current = packs.current
    (key,) = current.find(trust.kid_of_key(ISSUER))
    version = int(key.issuer[2:])
    assert current.revoked(pack.SUBJECT, b"gone %d" % version) and not current.revoked(pack.SUBJECT, b"here")
    assert current.role(b"s" * 16) == pack.STAFF and current.role(b"t" * 16) == pack.VISITOR
    assert current.damaged == 0
    return version
