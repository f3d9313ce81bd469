from binascii import hexlify, unhexlify

from aes import aes

from firmware.core import ccm

KEY = bytes(range(0xC0, 0xD0))
# RFC 3610 section 8, packet vectors 1 to 6 (8-byte tags): nonce, how much of the packet is header, its
# length, then ciphertext and tag.
VECTORS = (
    ("00000003020100a0a1a2a3a4a5", 8, 31, "588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0"),
    ("00000004030201a0a1a2a3a4a5", 8, 32, "72c91a36e135f8cf291ca894085c87e3cc15c439c9e43a3ba091d56e10400916"),
    (
        "00000005040302a0a1a2a3a4a5",
        8,
        33,
        "51b1e5f44a197d1da46b0f8e2d282ae871e838bb64da8596574adaa76fbd9fb0c5",
    ),
    ("00000006050403a0a1a2a3a4a5", 12, 31, "a28c6865939a9a79faaa5c4c2a9d4a91cdac8c96c861b9c9e61ef1"),
    ("00000007060504a0a1a2a3a4a5", 12, 32, "dcf1fb7b5d9e23fb9d4e131253658ad86ebdca3e51e83f077d9c2d93"),
    ("00000008070605a0a1a2a3a4a5", 12, 33, "6fc1b011f006568b5171a42d953d469b2570a4bd87405a0443ac91cb94"),
)


def test_vectors_of_rfc_3610():
    for nonce, header, length, want in VECTORS:
        packet = bytes(range(length))
        sealed = ccm.encrypt(aes, KEY, unhexlify(nonce), packet[:header], packet[header:])
        assert hexlify(sealed).decode() == want


def test_key_and_data_count():
    nonce, _, length, want = VECTORS[0]
    packet = bytes(range(length))
    for key, data in ((KEY[:15] + b"\x00", packet[:8]), (KEY, packet[:7] + b"\xff")):
        sealed = ccm.encrypt(aes, key, unhexlify(nonce), data, packet[8:])
        assert hexlify(sealed[-8:]).decode() != want[-16:]
    assert len(ccm.encrypt(aes, KEY, bytes(13), b"", b"")) == 8


def test_what_this_mode_does_not_have():
    for key, nonce, data, plaintext in (
        (KEY[:15], bytes(13), b"", b""),
        (KEY, bytes(12), b"", b""),
        (KEY, bytes(13), bytes(0xFF00), b""),
        (KEY, bytes(13), b"", bytes(0x10000)),
    ):
        try:
            ccm.encrypt(aes, key, nonce, data, plaintext)
        except ccm.CcmError:
            continue
        raise AssertionError("taken")
    assert len(ccm.encrypt(aes, KEY, bytes(13), bytes(0xFEFF), bytes(0xFFFF))) == 0xFFFF + 8
