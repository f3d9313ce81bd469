"""Settings and key store on a real VfsLfs2: limits, damage, full flash, refusals."""

import os

import ramflash

from firmware.core import cbor, schema
from firmware.services.keystore import Keystore, KeystoreError
from firmware.services.settings import Settings, SettingsError

BUFFER = bytearray(64 * ramflash.BLOCK_BYTES)


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


class CutNvs(Nvs):
    """Loses the power at the nth commit, before or behind it."""

    def __init__(self, kept):
        Nvs.__init__(self)
        self.kept = dict(kept)
        self.left = -1
        self.behind = False

    def commit(self):
        self.left -= 1
        if self.left == 0 and not self.behind:
            raise PowerCut
        Nvs.commit(self)
        if self.left == 0:
            raise PowerCut


class PowerCut(BaseException):
    """The power is gone."""


def test_keystore_with_tags():
    nvs = Nvs()
    one, two, three = b"1" * 8, b"2" * 8, b"3" * 8
    k = Keystore(nvs)
    k.stage(b"a" * 32, one)
    assert k.secret() is None and Keystore(nvs).secret() is None
    k.use(one)
    assert k.secret() == b"a" * 32 == Keystore(nvs, one).secret()
    k.set_secret(b"A" * 32)
    assert Keystore(nvs, one).secret() == b"A" * 32 and Keystore(nvs, two).secret() is None
    # A new identity beside it, tried twice; the old one stays until the settings name the new one.
    k.stage(b"x" * 32, three)
    k.stage(b"b" * 32, two)
    assert k.secret() == b"A" * 32 == Keystore(nvs, one).secret()
    assert Keystore(nvs, two).secret() == b"b" * 32 and Keystore(nvs, three).secret() is None
    k.use(two)
    k.stage(b"c" * 32, three)
    assert Keystore(nvs, two).secret() == b"b" * 32
    assert Keystore(nvs, three).secret() == b"c" * 32 and Keystore(nvs, one).secret() is None
    k.erase()
    assert nvs.kept == {}


def test_keystore_of_before_enrols_anew():
    """A secret without a tag stays in force while another identity is made ready."""
    nvs = Nvs()
    Keystore(nvs).set_secret(b"s" * 32)
    k = Keystore(nvs)
    k.stage(b"t" * 32, b"1" * 8)
    assert k.secret() == b"s" * 32 == Keystore(nvs).secret()
    assert Keystore(nvs, b"1" * 8).secret() == b"t" * 32


def test_keystore_key_for_an_enrolment():
    nvs = Nvs()
    first = Keystore(nvs).enrolment_key(b"1" * 8)
    assert len(first) == 32 and Keystore(nvs).enrolment_key(b"1" * 8) == first
    other = Keystore(nvs).enrolment_key(b"2" * 8)
    assert other != first and Keystore(nvs).enrolment_key(b"2" * 8) == other
    assert Keystore(nvs).secret() is None


def test_keystore_over_power_cuts():
    """At every commit, before or behind it: the secret in force is the old or the new one, never none."""
    start = Nvs()
    Keystore(start).stage(b"a" * 32, b"1" * 8)
    for cut in range(1, 5):
        for behind in (False, True):
            nvs = CutNvs(start.kept)
            nvs.left, nvs.behind = cut, behind
            tag = b"1" * 8
            try:
                k = Keystore(nvs, tag)
                k.set_secret(b"b" * 32)
                k.enrolment_key(b"2" * 8)
                k.stage(b"c" * 32, b"2" * 8)
                tag = b"2" * 8
                k.use(tag)
                k.set_secret(b"d" * 32)
            except PowerCut:
                pass
            nvs.pending = {}
            nvs.left = -1
            found = Keystore(nvs, tag).secret()
            expected = {
                (1, False): b"a",
                (4, False): b"c",
                (4, True): b"d",
            }.get((cut, behind), b"b")
            assert found == expected * 32, (cut, behind, found)
