"""The rest of the P-256 kernel in viper: inversion, and slots of limbs to and from bytes.

See p256_limbs.py for slots, the workspace and the two scratch parameters. A point in bytes is 64: x and y,
each 32 bytes, little-endian, in Montgomery form and below p; a table is 128 such points (or several times
128). Tables and workspaces must start at even addresses, as every bytearray and array does.
"""
# ruff: noqa: F821, ANN201  (the compiler knows the decorator, viper's types are not Python's, and viper has no annotation for "nothing")


@micropython.viper
def invert(a: int, b: int, ws: ptr16, dst: int, src: int, modulus: int, tmp: int) -> int:
    """Put 1 / src mod modulus (all byte offsets of slots) into dst; return 1, or 0 where it found none.

    Lehmer's form of Euclid: quotients come from the leading 30 bits of both numbers as long as they are
    certain (Jebelean's condition), then the numbers and the cofactors are updated at once. 0 means that the
    modulus divides src, or, about once in 600 times and for some crafted numbers, that this short form got
    stuck; the caller then has to ask a longer one. Takes four slots and 8 bytes at tmp. Not constant time.
    """
    pm = ptr16(int(ws) + modulus)
    ps = ptr16(int(ws) + src)
    # Pairs of limbs: 20 of (modulus, src), a gap, and from word 42 on 20 of their cofactors (0, 1).
    pa = ptr16(int(ws) + tmp)
    n = 0
    while n < 20:
        pa[0] = pm[n]
        pa[1] = ps[n]
        pa[42] = 0
        pa[43] = 0
        pa = ptr16(int(pa) + 4)
        n += 1
    pa = ptr16(int(ws) + tmp)
    pa[43] = 1
    n = 17  # the three leading limbs are n + 2, n + 1, n; while quotients are taken, + 256 for an odd number
    m = 1  # limbs of the cofactors
    minus = 1  # the first number's cofactor has to be negated
    while True:
        pt = ptr16(int(pa) + (n << 2))
        while n > 0 and pt[4] + pt[5] == 0:
            pt = ptr16(int(pt) - 4)
            n -= 1
        z = 17
        a = pt[4] | pt[5]
        rough = n + a  # 0: a and b will be the whole numbers
        while a < 4096 and z < 26:
            a <<= 1
            z += 1
        x = z - 13
        y = 26 - z
        a = (pt[4] << z) + (pt[2] << x) + (pt[0] >> y)
        b = (pt[5] << z) + (pt[3] << x) + (pt[1] >> y)
        u0 = 1
        v0 = 0
        u1 = 0
        v1 = 1
        while b > 0:
            q = a // b
            r = a - q * b
            x = u0 + q * u1
            y = v0 + q * v1
            if rough:
                if r < y or b - r < y + v1:
                    break
            elif y >> 17:
                break
            a = b
            b = r
            u0 = u1
            v0 = v1
            u1 = x
            v1 = y
            minus ^= 1
            n ^= 256
            if q == 0:
                break
        if v0 == 0:
            # No quotient is certain: take one step with one that is never too large, or end.
            q = a // (b + 1)
            if b == 0 or q == 0 or q >> 17:
                break
            u0 = 0
            v0 = 1
            u1 = 1
            v1 = q
            minus ^= 1
            n ^= 256
        x = u0
        y = -v0
        r = -u1
        z = v1
        if n >> 8:
            n ^= 256
            x = -x
            y = v0
            r = u1
            z = -z
        pt = pa
        i = n + 3
        k = 2
        while k:
            k -= 1
            a = 0
            b = 0
            while i > 0 or (a | b and i > -2):
                p = pt[0]
                q = pt[1]
                a += x * p + y * q
                b += r * p + z * q
                pt[0] = a & 8191
                pt[1] = b & 8191
                pt = ptr16(int(pt) + 4)
                a >>= 13
                b >>= 13
                i -= 1
            if k:
                pt = ptr16(int(pa) + 84)
                x = u0
                y = v0
                r = u1
                z = v1
                i = m
        m -= i
        if m > 20:
            break
    x = 0
    y = 0
    pt = ptr16(int(ws) + dst)
    while y < 20:
        x += pm[y] - pa[42] if minus else pa[42]
        pt[y] = x & 8191
        x >>= 13
        pa = ptr16(int(pa) + 4)
        y += 1
    return 1 if n == 0 and a == 1 and b == 0 else 0


@micropython.viper
def gather(
    a: int,
    b: int,
    ws: ptr16,
    dst: int,
    stride: int,
    table: ptr16,
    digits: ptr8,
    count: int,
    shift: int,
    span: int,
):
    """Unpack one point per digit to slots dst, dst + 40; the next ones `stride` bytes further.

    A digit from 128 is point digit - 128 of its sub-table, one below is minus point 127 - digit. Digit j
    looks into the sub-table at byte (j >> shift) * span. Slot 3 must hold p as 16 words of 16 bits. Constant
    time but for the addresses of the points.
    """
    j = 0
    while j < count:
        n = 1 - (digits[j] >> 7)
        pt = ptr16(int(table) + (j >> shift) * span + (((digits[j] ^ 0 - n) & 127) << 6))
        po = ptr16(int(ws) + dst)
        half = 2
        while half:
            half -= 1
            # x as it is; y, or p - y for the negative: 16 bits in, 13 bits out, with what is left in a.
            y = 0 if half else n
            x = 1 - y - y
            pp = ptr16(int(ws) + 120)
            a = 0
            b = 0
            i = 16
            while i:
                i -= 1
                a += (pt[0] * x + pp[0] * y) << b
                pt = ptr16(int(pt) + 2)
                pp = ptr16(int(pp) + 2)
                po[0] = a & 8191
                po = ptr16(int(po) + 2)
                a >>= 13
                b += 3
                if b > 12:
                    po[0] = a & 8191
                    po = ptr16(int(po) + 2)
                    a >>= 13
                    b -= 13
            po[0] = a
            po = ptr16(int(po) + 2)
        dst += stride
        j += 1


@micropython.viper
def scatter(a: int, b: int, ws: ptr16, src: int, stride: int, table: ptr16, digits: ptr8, count: int):
    """Pack the points in slots src, src + 40 as point (digit & 127) of the table, one for each digit."""
    j = 0
    while j < count:
        pt = ptr16(int(table) + ((digits[j] & 127) << 6))
        po = ptr16(int(ws) + src)
        half = 2
        while half:
            half -= 1
            y = 0
            a = 0
            while y < 20:
                a += po[y] - ws[20 + y]
                y += 1
                a >>= 13
            a += 1  # 0 where the value is below p already, else 1
            x = 0
            b = 0
            z = 0
            y = 0
            while y < 20:
                x += po[y] - ws[20 + y] * a
                b |= (x & 8191) << z
                x >>= 13
                z += 13
                if z >= 16:
                    pt[0] = b
                    pt = ptr16(int(pt) + 2)
                    b >>= 16
                    z -= 16
                y += 1
            po = ptr16(int(po) + 40)
        src += stride
        j += 1


@micropython.viper
def columns(a: int, b: int, scalar: ptr8, out: ptr8):
    """Comb digit j of 32: bit t is bit 32 * t + j of the scalar (32 bytes, little-endian)."""
    i = 0
    while i < 32:
        a = 0
        b = (i >> 3) + 32
        while b > 3:
            b -= 4
            a = a + a + ((scalar[b] >> (i & 7)) & 1)
        out[i] = a
        i += 1


@micropython.viper
def select(a: int, b: int, table: ptr32, digit: int, out: ptr32):
    """Copy the point that a digit of a sub-table stands for, but for its sign, to out, in constant time.

    Every point is read. Table and out (64 bytes) must start at addresses that are multiples of four.
    """
    digit ^= (digit >> 7) - 1
    i = 0
    while i < 16:
        a = 0
        b = 0
        while b < 128:
            a |= table[(b << 4) + i] & (((b ^ digit & 127) - 1) >> 8)
            b += 1
        out[i] = a
        i += 1
