import hashlib
from binascii import unhexlify

from firmware.core import p256

# RFC 6979 appendix A.2.5: the key, and ECDSA with SHA-256 over "sample" and "test".
PUBLIC = unhexlify(
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
SAMPLE = unhexlify(
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
)
TEST = unhexlify(
    "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
    "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"
)
GENERATOR = p256.GX.to_bytes(32, "big") + p256.GY.to_bytes(32, "big")
OPPOSITE = p256.GX.to_bytes(32, "big") + (p256.P - p256.GY).to_bytes(32, "big")


def sha(text):
    return hashlib.sha256(text).digest()


def number(value):
    return value.to_bytes(32, "big")


def test_signatures_of_rfc_6979():
    assert p256.verify(PUBLIC, sha(b"sample"), SAMPLE)
    assert p256.verify(PUBLIC, sha(b"test"), TEST)
    assert not p256.verify(PUBLIC, sha(b"test"), SAMPLE)
    assert not p256.verify(GENERATOR, sha(b"sample"), SAMPLE)


def test_any_bit_matters():
    digest = sha(b"sample")
    for bit in range(0, 512, 37):
        changed = bytearray(SAMPLE)
        changed[bit >> 3] ^= 1 << (bit & 7)
        assert not p256.verify(PUBLIC, digest, bytes(changed)), bit


def test_numbers_out_of_range():
    r, s = SAMPLE[:32], SAMPLE[32:]
    n = number(p256.N)
    zero = bytes(32)
    for signature in (zero + s, r + zero, n + s, r + n, b"\xff" * 64, bytes(64)):
        assert not p256.verify(PUBLIC, sha(b"sample"), signature)


def test_other_root_of_the_equation_is_accepted():
    # ECDSA does not fix the sign of s; a checker that rejected n - s would not be FIPS 186.
    s = p256.N - int.from_bytes(SAMPLE[32:], "big")
    assert p256.verify(PUBLIC, sha(b"sample"), SAMPLE[:32] + number(s))


def test_wrong_lengths():
    digest = sha(b"sample")
    for signature in (b"", SAMPLE[:63], SAMPLE + b"\0"):
        assert not p256.verify(PUBLIC, digest, signature)
    assert not p256.verify(PUBLIC, digest[:31], SAMPLE)
    assert not p256.verify(PUBLIC[:63], digest, SAMPLE)


def test_public_keys_are_checked():
    p256.check_public_key(PUBLIC)
    p256.check_public_key(GENERATOR)
    off = PUBLIC[:-1] + bytes([PUBLIC[-1] ^ 1])
    # The curve has a point with x = 0; P for x is the same point in a form that is not allowed.
    root = pow(p256.B, (p256.P + 1) // 4, p256.P)
    p256.check_public_key(bytes(32) + number(root))
    beyond = number(p256.P) + number(root)
    for key in (off, beyond, PUBLIC[:32] + b"\xff" * 32, bytes(64), b"", PUBLIC[:63], b"\x04" + PUBLIC):
        try:
            p256.check_public_key(key)
        except p256.P256Error:
            assert not p256.verify(key, sha(b"sample"), SAMPLE)
            continue
        assert False


def test_points_that_meet_on_the_way():
    # With the key G or -G the two tables coincide: sums of equal and of opposite points come up. The private
    # key of G is 1, so s = (e + r) / k with k = 2; for -G it is N - 1.
    two = p256._double(p256.GX, p256.GY, 1)
    zz = p256.inverse(two[2] * two[2] % p256.P, p256.P)
    r = two[0] * zz % p256.P % p256.N
    half = p256.inverse(2, p256.N)
    for digest in (bytes(32), number(1), number(p256.N - r), number(r), sha(b"x"), b"\xff" * 32):
        e = int.from_bytes(digest, "big")
        for key, private in ((GENERATOR, 1), (OPPOSITE, p256.N - 1)):
            s = (e + r * private) * half % p256.N
            if s:
                assert p256.verify(key, digest, number(r) + number(s)), (digest, private)
                assert not p256.verify(key, digest, number(r) + number(s ^ 1))


def test_sum_at_infinity_is_refused():
    # Key G, digest -r: u1·G + u2·G = (e + r)/s·G is infinite whatever s is.
    for r in (1, 5, p256.N - 2):
        assert not p256.verify(GENERATOR, number(p256.N - r), number(r) + number(7))


def test_doubling_and_adding_agree():
    point, sums = (p256.GX, p256.GY, 1), (1, 1, 0)
    for _ in range(16):
        sums = p256._add(*sums, p256.GX, p256.GY)
    for _ in range(4):
        point = p256._double(*point)
    z1, z2 = point[2] ** 2 % p256.P, sums[2] ** 2 % p256.P
    assert point[0] * z2 % p256.P == sums[0] * z1 % p256.P
    assert p256._double(1, 1, 0)[2] == 0
    assert p256._add(p256.GX, p256.GY, 1, p256.GX, p256.P - p256.GY)[2] == 0


def test_generator_table():
    x, y, z = p256.GX, p256.GY, 1
    for i, entry in enumerate(p256._generator_table()):
        if i:
            for _ in range(2):
                x, y, z = p256._add(x, y, z, p256.GX, p256.GY)
        inverse = p256.inverse(z, p256.P)
        assert entry == (x * inverse**2 % p256.P, y * inverse**3 % p256.P)
    assert i == 7


def test_the_work_comes_in_slices():
    steps = p256.verify_steps(PUBLIC, sha(b"sample"), SAMPLE)
    slices = 0
    try:
        while True:
            assert next(steps) is None
            slices += 1
    except StopIteration as e:
        assert e.value is True
    assert slices > 60
