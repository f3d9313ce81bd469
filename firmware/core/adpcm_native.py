"""`adpcm.decode` in viper, for interpreters with the native code emitter; the build chooses."""
# ruff: noqa: F821, ANN201  (the compiler knows the decorator, viper's types are not Python's, and viper has no annotation for "nothing")


@micropython.viper
def decode(data: ptr8, at: int, count: int, state: ptr8, steps: ptr8, out: ptr8):
    """Decode `count` bytes from `at` on into samples; see adpcm.py."""
    sample = (state[0] | state[1] << 8) - 32768
    number = state[2]
    to = 0
    end = at + count
    while at < end:
        byte = data[at]
        at += 1
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
                sample -= difference
                if sample < -32768:
                    sample = -32768
            else:
                sample += difference
                if sample > 32767:
                    sample = 32767
            if half & 4:
                number += 2 + 2 * (half & 3)
                if number > 88:
                    number = 88
            elif number > 0:
                number -= 1
            out[to] = sample & 255
            out[to + 1] = sample >> 8 & 255
            to += 2
            shift -= 4
    sample += 32768
    state[0] = sample & 255
    state[1] = sample >> 8
    state[2] = number
