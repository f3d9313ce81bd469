from firmware.core import rsa

N = ((1 << 4095) + 5).to_bytes(512, "big")


def slices(modulus, exponent, digest, signature):
    """How many slices the work took, and the answer."""
    count = 0
    steps = rsa.verify_pss_steps(modulus, exponent, digest, signature)
    while True:
        try:
            assert next(steps) is None
        except StopIteration as e:
            return count, e.value
        count += 1


def test_every_product_and_every_reduction_is_a_slice_of_its_own():
    # Square and multiply: a square for each bit below the highest, a product for each of those that is set.
    for exponent, products in ((3, 2), (17, 5), (65537, 17), (0xFFFFFFFF, 62)):
        assert slices(N, exponent, bytes(32), b"\x55" * 512) == (2 * products + 1, False), exponent


def test_wrong_lengths_and_numbers_cost_nothing():
    for digest, signature in (
        (bytes(32), b""),
        (bytes(32), bytes(511)),
        (bytes(32), bytes(513)),
        (bytes(31), bytes(512)),
        (bytes(33), bytes(512)),
        (bytes(32), N),
        (bytes(32), b"\xff" * 512),
    ):
        assert slices(N, 65537, digest, signature) == (0, False)


def test_keys():
    assert rsa.supported(N, 3) and rsa.supported(N, 0xFFFFFFFF)
    assert rsa.supported(b"\x80" + bytes(254) + b"\1", 65537) and rsa.supported(b"\1" + bytes(255) + b"\1", 3)
    for modulus, exponent in (
        (N, None),
        (N, 1),
        (N, 2),
        (N, 4),
        (N, -3),
        (N, 1 << 32),
        (N, (1 << 32) + 1),
        (N[:-1] + b"\0", 3),
        (N + b"\1", 3),
        (b"\0" + N[1:], 3),
        (b"\x7f" + bytes(254) + b"\1", 3),
        (bytes(255) + b"\1", 3),
        (b"", 3),
        (b"\1", 3),
    ):
        assert not rsa.supported(modulus, exponent), (len(modulus), exponent)
        if exponent is not None:
            assert slices(modulus, exponent, bytes(32), bytes(len(modulus))) == (0, False)
