"""IMA ADPCM, 4 bits a sample: how the spoken clips are kept in flash.

Each half of a byte, the upper one first, is a sample's difference from the one before in steps of a size that
follows the sound (IMA Digital Audio Focus and Technical Working Groups, Recommended Practices for Enhancing
Digital Audio Compatibility, revision 3.00, section 6). There are no block headers: a clip begins at sample 0
with the smallest step, as CPython's ``audioop`` has it.
"""

if False:
    from typing import Callable

    #: data, first byte, bytes, state, steps, out: see `decode`.
    Decode = Callable[["bytes | memoryview", int, int, bytearray, bytes, bytearray], None]

#: The 89 sizes of a step, u16 with the low byte first.
STEPS = (
    b"\x07\x00\x08\x00\x09\x00\x0a\x00\x0b\x00\x0c\x00\x0d\x00\x0e\x00\x10\x00\x11\x00\x13\x00\x15\x00\x17\x00"
    b"\x19\x00\x1c\x00\x1f\x00\x22\x00\x25\x00\x29\x00\x2d\x00\x32\x00\x37\x00\x3c\x00\x42\x00\x49\x00\x50\x00"
    b"\x58\x00\x61\x00\x6b\x00\x76\x00\x82\x00\x8f\x00\x9d\x00\xad\x00\xbe\x00\xd1\x00\xe6\x00\xfd\x00\x17\x01"
    b"\x33\x01\x51\x01\x73\x01\x98\x01\xc1\x01\xee\x01\x20\x02\x56\x02\x92\x02\xd4\x02\x1c\x03\x6c\x03\xc3\x03"
    b"\x24\x04\x8e\x04\x02\x05\x83\x05\x10\x06\xab\x06\x56\x07\x12\x08\xe0\x08\xc3\x09\xbd\x0a\xd0\x0b\xff\x0c"
    b"\x4c\x0e\xba\x0f\x4c\x11\x07\x13\xee\x14\x06\x17\x54\x19\xdc\x1b\xa5\x1e\xb6\x21\x15\x25\xca\x28\xdf\x2c"
    b"\x5b\x31\x4b\x36\xb9\x3b\xb2\x41\x44\x48\x7e\x4f\x71\x57\x2f\x60\xce\x69\x62\x74\xff\x7f"
)
_LAST_STEP = 88


def start() -> bytearray:
    """The state of a decoder before a clip: the last sample plus 32,768, low byte first; number of the
    step."""
    return bytearray(b"\x00\x80\x00")


def decode(
    data: "bytes | memoryview", at: int, count: int, state: bytearray, steps: bytes, out: bytearray
) -> None:
    """Decode `count` bytes from `at` on into `out`: four bytes for each, two samples of 16 bits.

    Samples are signed with the low byte first, as I2S takes them. `steps` is `STEPS`; `out` has to be long
    enough. Any bytes can be decoded. adpcm_native.decode is the same for processors that run native code.
    """
    sample = (state[0] | state[1] << 8) - 32768
    number = state[2]
    to = 0
    for i in range(at, at + count):
        byte = data[i]
        shift = 4
        while shift >= 0:
            half = byte >> shift
            step = steps[2 * number] | steps[2 * number + 1] << 8
            difference = step >> 3
            if half & 4:
                difference += step
            if half & 2:
                difference += step >> 1
            if half & 1:
                difference += step >> 2
            if half & 8:
                sample = max(sample - difference, -32768)
            else:
                sample = min(sample + difference, 32767)
            if half & 4:
                number = min(number + 2 + 2 * (half & 3), _LAST_STEP)
            elif number:
                number -= 1
            out[to] = sample & 255
            out[to + 1] = sample >> 8 & 255
            to += 2
            shift -= 4
    sample += 32768
    state[0] = sample & 255
    state[1] = sample >> 8
    state[2] = number
