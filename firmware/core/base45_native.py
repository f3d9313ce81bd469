"""`base45.groups` in viper, for interpreters with the native code emitter; the build chooses."""
# ruff: noqa: F821  (the compiler knows the decorator, and viper's types are not Python's)


@micropython.viper
def groups(text: ptr8, length: int, values: ptr8, out: ptr8) -> int:
    """Decode `length` characters, three to two bytes; 0, or 1 for a wrong character, 2 for a wrong group.

    `length` is no multiple of three plus one, and `out` as long as that takes; see base45.py.
    """
    i = 0
    at = 0
    while i < length:
        number = values[text[i]]
        middle = values[text[i + 1]]
        # 255 stands for no value; of all entries, it alone has bit 7.
        wrong = number | middle
        number += 45 * middle
        limit = 0xFF
        if i + 2 < length:
            high = values[text[i + 2]]
            wrong |= high
            number += 2025 * high
            limit = 0xFFFF
        if wrong & 0x80:
            return 1
        if number > limit:
            return 2
        if limit > 0xFF:
            out[at] = number >> 8
            at += 1
        out[at] = number & 0xFF
        at += 1
        i += 3
    return 0
