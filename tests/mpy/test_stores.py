"""Settings, key store and trust store on a real VfsLfs2: limits, damage, full flash, refusals."""

import os

import ramflash

from firmware.core import cbor, p256, schema, trust
from firmware.services import truststore
from firmware.services.keystore import Keystore, KeystoreError
from firmware.services.settings import Settings, SettingsError
from firmware.services.truststore import TrustStore, TrustStoreError

NOW = 1_800_000_000
BUFFER = bytearray(64 * ramflash.BLOCK_BYTES)
ROOT = bytes(range(64))
PATH = "/flash/trust.cose"


def fresh():
    flash = ramflash.RamFlash(64, BUFFER)
    ramflash.format(flash)
    ramflash.mount(flash)
    return flash


def raises(kind, call, *args):
    try:
        call(*args)
    except kind as e:
        return e
    raise AssertionError("%s was not raised" % kind)


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


# --- settings


def test_settings_start_and_keep():
    fresh()
    s = Settings("/flash")
    assert s.get("scene") == "public_place" and s.get("place") == "" and s.bad == []
    s.update({"place": "汽车站", "direction": 1})
    s.update({"root_key": b"r" * 64})
    for _ in range(5):
        s = Settings("/flash")
        assert (s.get("place"), s.get("direction"), s.get("root_key")) == ("汽车站", 1, b"r" * 64)
        s.update({"language": "en" if s.get("language") == "zh" else "zh"})
    assert Settings("/flash").get("language") == "en"
    assert sorted(n for n in os.listdir("/flash")) == ["settings.0", "settings.1"]


def test_settings_refuse():
    fresh()
    s = Settings("/flash")
    s.update({"place": "here"})
    for changes in (
        {"colour": 1},
        {"place": "x" * 65},
        {"place": "there", "direction": 9},
        {"root_key": b"short"},
    ):
        e = raises(SettingsError, s.update, changes)
        assert "there" not in str(e) and "short" not in str(e)
        assert s.get("place") == "here" == Settings("/flash").get("place")
    raises(SettingsError, s.get, "colour")


def test_settings_same_value_writes_nothing():
    flash = fresh()
    s = Settings("/flash")
    s.update({"place": "here"})
    before = flash.operations
    s.update({"place": "here"})
    assert flash.operations == before


def test_settings_damage():
    """A broken slot leaves the other one in force; with both gone everything is default and told."""
    fresh()
    s = Settings("/flash")
    s.update({"place": "old"})
    s.update({"place": "new"})
    newest = "/flash/settings.%d" % s._slot
    sound = read(newest)
    for junk in (b"", b"x", sound[:-1], sound + b"x", bytes(len(sound)), b"\xff" * 5000):
        write(newest, junk)
        s = Settings("/flash")
        assert s.get("place") == "old" and s.bad == []
        s.update({"place": "newer"})
        assert Settings("/flash").get("place") == "newer"
        write(newest, schema.encode_slot(2, cbor.dumps({"place": "new"})))
        write(
            "/flash/settings.%d" % (1 - int(newest[-1])), schema.encode_slot(1, cbor.dumps({"place": "old"}))
        )
    for slot in "01":
        write("/flash/settings." + slot, b"junk")
    s = Settings("/flash")
    assert s.bad == ["*"] and s.get("place") == ""
    s.update({"place": "again"})
    assert s.bad == [] and Settings("/flash").get("place") == "again"


def test_settings_bad_values_become_defaults():
    fresh()
    stored = {"place": "x" * 500, "direction": 7, "scene": "transit", "language": b"\xff"}
    write("/flash/settings.1", schema.encode_slot(5, cbor.dumps(stored)))
    s = Settings("/flash")
    assert sorted(s.bad) == ["direction", "language", "place"]
    assert (s.get("place"), s.get("direction"), s.get("language"), s.get("scene")) == ("", 2, "zh", "transit")
    for payload in (b"", b"\xff", cbor.dumps([1]), b"\x9f" * 300):
        write("/flash/settings.0", schema.encode_slot(9, payload))
        assert Settings("/flash").get("scene") in ("transit", "public_place")


def test_settings_full_or_failing_flash():
    flash = fresh()
    s = Settings("/flash")
    s.update({"ca_der": b"c" * 600})
    s.update({"ca_der": b"d" * 600})
    ramflash.fill("/flash/filler", 0)
    try:
        while True:
            s.update({"ca_der": s.get("ca_der")[:1] * 2000 if len(s.get("ca_der")) < 2000 else b"e" * 600})
            break
    except SettingsError:
        assert s.get("ca_der") == b"d" * 600
    kept = s.get("ca_der")
    assert Settings("/flash").get("ca_der") == kept
    os.remove("/flash/filler")
    flash.failing = True
    raises(SettingsError, s.update, {"ca_der": b"f" * 600})
    flash.failing = False
    assert s.get("ca_der") == kept == Settings("/flash").get("ca_der")
    s.update({"ca_der": b"g" * 600})
    assert Settings("/flash").get("ca_der") == b"g" * 600


# --- key store


class Nvs:
    """Behaves as esp32.NVS; `broken` is the error every call answers."""

    def __init__(self):
        self.kept = {}
        self.pending = {}
        self.broken = 0

    def _check(self):
        if self.broken:
            raise OSError(self.broken, "ESP_ERR")

    def get_blob(self, key, buffer):
        self._check()
        value = self.pending.get(key) or self.kept.get(key)
        if value is None:
            raise OSError(-0x1102, "ESP_ERR_NVS_NOT_FOUND")
        if len(value) > len(buffer):
            raise OSError(-0x110C, "ESP_ERR_NVS_INVALID_LENGTH")
        buffer[: len(value)] = value
        return len(value)

    def set_blob(self, key, value):
        self._check()
        self.pending[key] = bytes(value)

    def erase_key(self, key):
        self._check()
        if key not in self.kept:
            raise OSError(-0x1102, "ESP_ERR_NVS_NOT_FOUND")
        del self.kept[key]

    def commit(self):
        self._check()
        self.kept.update(self.pending)
        self.pending = {}


def test_keystore():
    nvs = Nvs()
    k = Keystore(nvs)
    assert k.secret() is None
    k.set_secret(b"s" * 32)
    assert k.secret() == b"s" * 32 == Keystore(nvs).secret()
    for wrong in (b"", b"s" * 31, b"s" * 33):
        raises(KeystoreError, k.set_secret, wrong)
    k.set_secret(b"t" * 32)
    assert nvs.pending == {} and Keystore(nvs).secret() == b"t" * 32
    k.erase()
    assert k.secret() is None and Keystore(nvs).secret() is None
    k.erase()


def test_keystore_that_fails_is_not_an_unenrolled_one():
    nvs = Nvs()
    Keystore(nvs).set_secret(b"s" * 32)
    nvs.broken = -0x1101
    for call in (Keystore(nvs).secret, Keystore(nvs).erase, lambda: Keystore(nvs).set_secret(b"t" * 32)):
        assert "ssss" not in str(raises(KeystoreError, call))
    nvs.broken = 0
    for wrong in (b"s" * 31, b"s" * 33):
        nvs.kept["secret"] = wrong
        raises(KeystoreError, Keystore(nvs).secret)


# --- trust store


def signed(version, expires=NOW + 1000, root=ROOT, good=True, keys=2):
    key = trust.IssuerKey(b"kid-kid-", -7, bytes(64), "issuer", NOW, NOW + 5, [1, 2], None)
    mark = b"\x01" if good else b"\x00"
    return trust.encode_trust(version, NOW - 5, expires, [key] * keys, root, lambda data: mark * 64)


def verify_steps(key, digest, signature):
    for _ in range(3):
        yield None
    return signature == b"\x01" * 64 and key == ROOT


def drive(steps):
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


def install(store, data, now=NOW):
    return drive(store.install_steps(data, now))


def kind_of(store, data, now=NOW):
    return raises(TrustStoreError, install, store, data, now).kind


def store():
    s = TrustStore(PATH, ROOT, verify_steps)
    drive(s.load_steps())
    return s


def test_trust_install_and_load():
    fresh()
    s = store()
    assert s.current is None
    for version in (3, 4, 9):
        assert install(s, signed(version)).version == version == s.current.version
        assert store().current.version == version
    assert "trust.new" not in os.listdir("/flash")


def test_trust_refusals_keep_the_old_one():
    fresh()
    s = store()
    assert kind_of(s, b"junk") == truststore.INVALID
    assert s.current is None
    install(s, signed(5))
    data = read(PATH)
    cases = (
        (b"", truststore.INVALID),
        (signed(6)[:-1], truststore.INVALID),
        (signed(6, good=False), truststore.INVALID),
        (signed(6, root=bytes(64)), truststore.INVALID),
        (bytes(65537), truststore.INVALID),
        (signed(5), truststore.OLDER),
        (signed(4), truststore.OLDER),
        (signed(6, expires=NOW), truststore.EXPIRED),
    )
    for new, kind in cases:
        assert kind_of(s, new) == kind
        assert s.current.version == 5 and read(PATH) == data and store().current.version == 5
    # without a clock expiry cannot be judged
    assert install(s, signed(6, expires=NOW), None).version == 6


def test_trust_without_root_key():
    fresh()
    for root in (b"", bytes(63)):
        s = TrustStore(PATH, root, verify_steps)
        assert kind_of(s, signed(1)) == truststore.INVALID


def test_trust_file_is_verified_at_every_start():
    fresh()
    install(store(), signed(7, keys=20))
    sound = read(PATH)
    for at in range(0, len(sound) - 70, 31):
        changed = bytearray(sound)
        changed[at] ^= 1
        write(PATH, changed)
        s = TrustStore(PATH, ROOT, p256_like(sound))
        assert raises(TrustStoreError, drive, s.load_steps()).kind == truststore.INVALID
        assert s.current is None
    write(PATH, bytes(70000))
    assert raises(TrustStoreError, store).kind == truststore.INVALID
    write(PATH, sound)
    assert store().current.version == 7


def p256_like(sound):
    """A verifier that knows one digest, as a signature does."""
    from firmware.core import cose

    known = cose.sign1_digest(cose.parse_sign1(sound))

    def steps(key, digest, signature):
        yield None
        return digest == known

    return steps


def test_trust_leftover_is_removed():
    fresh()
    install(store(), signed(7))
    write("/flash/trust.new", b"half of a list")
    assert store().current.version == 7
    assert os.listdir("/flash") == ["trust.cose"]


def test_trust_full_or_failing_flash():
    flash = fresh()
    s = store()
    install(s, signed(1))
    ramflash.fill("/flash/filler", 0)
    assert kind_of(s, signed(2, keys=300)) == truststore.STORAGE
    assert s.current.version == 1 == store().current.version
    assert "trust.new" not in os.listdir("/flash")
    os.remove("/flash/filler")
    flash.failing = True
    assert kind_of(s, signed(2, keys=30)) == truststore.STORAGE
    flash.failing = False
    assert s.current.version == 1 == store().current.version
    assert install(s, signed(2, keys=300)).version == 2


def test_trust_with_the_real_verifier():
    """The real verifier refuses a signature of zeros; the host's tests sign in earnest."""
    fresh()
    generator = (
        b"\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2"
        b"\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96"
        b"\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16"
        b"\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5"
    )
    s = TrustStore(PATH, generator, p256.verify_steps)
    assert kind_of(s, signed(1, root=generator)) == truststore.INVALID
