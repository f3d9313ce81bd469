# heap: 200k
"""The thermometer: Adafruit's library over the checking bus adapter, with packets of the data sheet."""

import time

import fakes

fakes.add_libraries()

from drivers.mlx90614 import FLAG, NAK, PEC, RANGE, SmbusI2C, Thermometer, ThermometerError, crc8  # noqa: E402

# Object 36.65 degrees is (273.15 + 36.65) / 0.02 = 15490.
OBJECT_WORD = 15490


def build():
    chip = fakes.FakeThermometerChip()
    chip.words[0x07] = OBJECT_WORD
    bus = fakes.FakeI2C({0x5A: chip})
    return chip, bus, Thermometer(bus)


def kind_of(call):
    try:
        call()
    except ThermometerError as e:
        assert isinstance(e, OSError) and "thermometer" in str(e)
        return e.kind
    raise AssertionError("no error")


def test_packet_error_code_is_the_data_sheets():
    # Figures 8 and 9 of the data sheet: read word, write word, and the sleep command.
    assert crc8(bytes.fromhex("B407B5D23A")) == 0x30
    assert crc8(bytes.fromhex("B42207C8")) == 0x48
    assert crc8(bytes.fromhex("B4FF")) == 0xE8


def test_reads_object_and_ambient():
    chip, _, thermometer = build()
    chip.replies = [b"", b""]
    assert thermometer.read_centi_c() == (3665, 2801)  # 0x3AD2 is 28.01 degrees
    thermometer.probe()


def test_rounding_is_to_the_nearest_hundredth():
    chip, _, thermometer = build()
    for raw in range(0x27AD, 0x8000, 997):
        chip.words[0x07] = raw
        assert thermometer.read_centi_c()[0] == raw * 2 - 27315


def test_one_bad_packet_is_read_again():
    chip, _, thermometer = build()
    thermometer.probe()
    for bad in (None, bytes.fromhex("D23A31"), b"\xff\xff\xff"):
        chip.replies = [bad]
        reads = chip.reads
        assert thermometer.read_centi_c() == (3665, 2801)
        assert chip.reads == reads + 3


def test_three_bad_packets_are_an_error():
    chip, _, thermometer = build()
    thermometer.probe()
    flagged = bytes((0xD2, 0xBA))
    for bad, kind in (
        (None, NAK),
        (bytes.fromhex("D23A31"), PEC),
        (b"\xff\xff\xff", PEC),  # an idle bus, 1037.55 degrees to those who do not check
        (flagged + bytes((fakes.crc_smbus(b"\xb4\x06\xb5" + flagged),)), FLAG),
    ):
        chip.replies = [bad] * 3
        begun = time.ticks_ms()
        assert kind_of(thermometer.read_centi_c) == kind
        assert 20 <= time.ticks_diff(time.ticks_ms(), begun) < 100
        assert chip.replies == []
        assert thermometer.read_centi_c() == (3665, 2801)


def test_every_flipped_bit_is_seen():
    _, bus, _ = build()
    adapter = SmbusI2C(bus)
    good = bytes.fromhex("D23A30")
    chip = bus.chips[0x5A]
    chip.words[0x07] = 0x3AD2
    word = bytearray(2)
    for bit in range(24):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        chip.replies = [bytes(bad)]
        adapter.writeto_then_readfrom(0x5A, b"\x07", word, out_end=1)
        assert word == good[:2] and chip.replies == []


def test_impossible_values():
    chip, _, thermometer = build()
    for raw in (0, 0x27AC):
        chip.words[0x07] = raw
        assert kind_of(thermometer.read_centi_c) == RANGE
    chip.words[0x07] = OBJECT_WORD
    chip.words[0x06] = 0x100
    assert kind_of(thermometer.read_centi_c) == RANGE


def test_absent_then_back():
    chip, bus, thermometer = build()
    del bus.chips[0x5A]
    assert kind_of(thermometer.probe) == NAK
    bus.chips[0x5A] = chip
    assert thermometer.read_centi_c() == (3665, 2801)
    del bus.chips[0x5A]
    assert kind_of(thermometer.read_centi_c) == NAK
    bus.chips[0x5A] = chip
    assert thermometer.read_centi_c() == (3665, 2801)


def test_faulty_from_the_start():
    chip, _, thermometer = build()
    chip.replies = [bytes.fromhex("D23A31")] * 6
    assert kind_of(thermometer.probe) == PEC


def test_the_adapter_locks_and_never_writes():
    _, bus, _ = build()
    adapter = SmbusI2C(bus)
    assert adapter.try_lock() and not adapter.try_lock()
    adapter.unlock()
    assert adapter.try_lock()
    try:
        adapter.writeto(0x5A, b"\x24\x00\x00\x00")
    except OSError:
        return
    raise AssertionError("wrote")
