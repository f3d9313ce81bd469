"""The field arithmetic of P-256 in viper: one interpreter of little programs over a workspace of our own.

A field element is a *slot*: 20 limbs of 13 bits in 16-bit words, 40 bytes, in a workspace that the caller
owns. Elements are kept as x * 2**260 mod p (Montgomery form) and only below 1.53 p, not below p: the limbs
are canonical, the value is not. 13 bits, because twenty products of a limb and a limb difference, the
quotient terms and a carry must fit 32 bits: 20 * 8191 * 24573 + 8191 * 1576 + 2**19 < 2**32. Nothing here
depends on the word being wider than that, so the board and the 64-bit port compute alike.

Only buffers given as arguments are touched. Nothing branches on, or indexes by, a field element.

The first two parameters of every function here are scratch, to be passed as 0: the native emitter keeps
the first two locals of a function in registers, and parameters come first.
"""
# ruff: noqa: F821, ANN201  (the compiler knows the decorator, viper's types are not Python's, and viper has no annotation for "nothing")


@micropython.viper
def run(x0: int, x1: int, ws: ptr16, prog: ptr16, base: int, stride: int, count: int):
    """Run the program `count` times, moving the base by `stride` bytes after each time.

    An operation is six words a, b, c, dst, d, e: byte offsets of slots in `ws`, plus `base` where the lowest
    bit is set. It means dst = a * (b - c) / 2**260 - d - e mod p; c = 0 and d = 0 leave the subtraction out,
    and slot 0 must hold zero, for e. dst may be any of the others. The six words 65534, b, c, dst, k, 0 mean
    dst = (b + c) * k for k up to 5. 65535 ends the program. Slot 1 must hold p, slot 2 must hold 2**256 - p.
    """
    base -= 1  # an entry that moves has its lowest bit set: adding base takes it off again
    while count > 0:
        count -= 1
        k = 0
        while True:
            x = prog[k]
            if x == 65535:
                break
            if x & 1:
                x += base
            pa = ptr16(int(ws) + x)
            x = prog[k + 1]
            if x & 1:
                x += base
            pb = ptr16(int(ws) + x)
            if prog[k] == 65534:
                x = prog[k + 2]
                if x & 1:
                    x += base
                pc = ptr16(int(ws) + x)
                x = prog[k + 3]
                if x & 1:
                    x += base
                pa = ptr16(int(ws) + x)
                r = prog[k + 4]
                q = ((pb[19] + pc[19]) * r) >> 9
                x0 = 0
                x1 = 0
                while x1 < 20:
                    x0 += (pb[x1] + pc[x1]) * r + ws[40 + x1] * q
                    pa[x1] = x0 & 8191
                    x0 >>= 13
                    x1 += 1
                pa[19] = pa[19] - (q << 9)
                k += 6
                continue
            x = prog[k + 2]
            if x:
                # b - c + 4p, where 4p has been written with a limb of 8191 or more below every limb of c.
                if x & 1:
                    x += base
                pc = ptr16(int(ws) + x)
                b0 = pb[0] + 16380 - pc[0]
                b1 = pb[1] + 16382 - pc[1]
                b2 = pb[2] + 16382 - pc[2]
                b3 = pb[3] + 16382 - pc[3]
                b4 = pb[4] + 16382 - pc[4]
                b5 = pb[5] + 16382 - pc[5]
                b6 = pb[6] + 16382 - pc[6]
                b7 = pb[7] + 8318 - pc[7]
                b8 = pb[8] + 8191 - pc[8]
                b9 = pb[9] + 8191 - pc[9]
                b10 = pb[10] + 8191 - pc[10]
                b11 = pb[11] + 8191 - pc[11]
                b12 = pb[12] + 8191 - pc[12]
                b13 = pb[13] + 8191 - pc[13]
                b14 = pb[14] + 12287 - pc[14]
                b15 = pb[15] + 8191 - pc[15]
                b16 = pb[16] + 8191 - pc[16]
                b17 = pb[17] + 16351 - pc[17]
                b18 = pb[18] + 16382 - pc[18]
                b19 = pb[19] + 2046 - pc[19]
            else:
                b0 = pb[0]
                b1 = pb[1]
                b2 = pb[2]
                b3 = pb[3]
                b4 = pb[4]
                b5 = pb[5]
                b6 = pb[6]
                b7 = pb[7]
                b8 = pb[8]
                b9 = pb[9]
                b10 = pb[10]
                b11 = pb[11]
                b12 = pb[12]
                b13 = pb[13]
                b14 = pb[14]
                b15 = pb[15]
                b16 = pb[16]
                b17 = pb[17]
                b18 = pb[18]
                b19 = pb[19]
            # The product, Montgomery-reduced digit by digit: t is a window on the columns i, i + 1, ... of
            # a * b + q * p. As p = -1 mod 2**96 the quotient digit is the column itself, and the rest of
            # q * p is q * (2**96 + 2**192 - 2**224 + 2**256). Column 17 starts at 8 and column 37 gives 8
            # back, so that (8191 - q) << 3 can stand for -(q << 3), and no column is ever negative.
            t0 = 0
            t1 = 0
            t2 = 0
            t3 = 0
            t4 = 0
            t5 = 0
            t6 = 0
            t7 = 0
            t8 = 0
            t9 = 0
            t10 = 0
            t11 = 0
            t12 = 0
            t13 = 0
            t14 = 0
            t15 = 0
            t16 = 0
            t17 = 8
            t18 = 0
            i = 0
            while i < 20:
                x0 = pa[i]
                x1 = pa[i + 1]
                i += 2
                x = b0 * x0 + t0
                q = x & 8191
                x = b1 * x0 + t1 + b0 * x1 + int(uint(x) >> 13)
                r = x & 8191
                t0 = b2 * x0 + t2 + b1 * x1 + int(uint(x) >> 13)
                t1 = b3 * x0 + t3 + b2 * x1
                t2 = b4 * x0 + t4 + b3 * x1
                t3 = b5 * x0 + t5 + b4 * x1
                t4 = b6 * x0 + t6 + b5 * x1
                t5 = b7 * x0 + t7 + b6 * x1 + (q << 5)
                t6 = b8 * x0 + t8 + b7 * x1 + (r << 5)
                t7 = b9 * x0 + t9 + b8 * x1
                t8 = b10 * x0 + t10 + b9 * x1
                t9 = b11 * x0 + t11 + b10 * x1
                t10 = b12 * x0 + t12 + b11 * x1
                t11 = b13 * x0 + t13 + b12 * x1
                t12 = b14 * x0 + t14 + b13 * x1 + (q << 10)
                t13 = b15 * x0 + t15 + b14 * x1 + (r << 10)
                t14 = b16 * x0 + t16 + b15 * x1
                t15 = b17 * x0 + t17 + b16 * x1 + ((8191 - q) << 3)
                t16 = b18 * x0 + t18 + b17 * x1 + ((8191 - r) << 3)
                t17 = b19 * x0 + b18 * x1 + (q << 9)
                t18 = b19 * x1 + (r << 9)
            x = prog[k + 3]
            if x & 1:
                x += base
            pa = ptr16(int(ws) + x)
            x = prog[k + 4]
            if x:
                # Carry with - d - e + 8p, and take q * p off: q = the multiples of 2**256 in the whole.
                if x & 1:
                    x += base
                pb = ptr16(int(ws) + x)
                x = prog[k + 5]
                if x & 1:
                    x += base
                pc = ptr16(int(ws) + x)
                q = (t18 + 33538043 - ((pb[19] + pc[19]) << 13)) >> 22
                x1 = t0 + 40952 - pb[0] - pc[0] + q
                pa[0] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t1 + 40955 - pb[1] - pc[1] + x0
                pa[1] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t2 + 40955 - pb[2] - pc[2] + x0
                pa[2] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t3 + 40955 - pb[3] - pc[3] + x0
                pa[3] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t4 + 40955 - pb[4] - pc[4] + x0
                pa[4] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t5 + 40955 - pb[5] - pc[5] + x0
                pa[5] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t6 + 40955 - pb[6] - pc[6] + x0
                pa[6] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t7 + 33019 - pb[7] - pc[7] - (q << 5) + x0
                pa[7] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t8 + 32764 - pb[8] - pc[8] + x0
                pa[8] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t9 + 32764 - pb[9] - pc[9] + x0
                pa[9] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t10 + 32764 - pb[10] - pc[10] + x0
                pa[10] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t11 + 32764 - pb[11] - pc[11] + x0
                pa[11] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t12 + 32764 - pb[12] - pc[12] + x0
                pa[12] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t13 + 32764 - pb[13] - pc[13] + x0
                pa[13] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t14 + 32764 - pb[14] - pc[14] - (q << 10) + x0
                pa[14] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t15 + 32765 - pb[15] - pc[15] + x0
                pa[15] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t16 + 32764 - pb[16] - pc[16] + x0
                pa[16] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t17 + 40884 - pb[17] - pc[17] + (q << 3) + x0
                pa[17] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t18 + 40955 - pb[18] - pc[18] + x0
                pa[18] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                pa[19] = 4091 - pb[19] - pc[19] - (q << 9) + x0
            else:
                x1 = t0
                pa[0] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t1 + x0
                pa[1] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t2 + x0
                pa[2] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t3 + x0
                pa[3] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t4 + x0
                pa[4] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t5 + x0
                pa[5] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t6 + x0
                pa[6] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t7 + x0
                pa[7] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t8 + x0
                pa[8] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t9 + x0
                pa[9] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t10 + x0
                pa[10] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t11 + x0
                pa[11] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t12 + x0
                pa[12] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t13 + x0
                pa[13] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t14 + x0
                pa[14] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t15 + x0
                pa[15] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t16 + x0
                pa[16] = x1 & 8191
                x0 = int(uint(x1) >> 13)
                x1 = t17 + x0 - 8
                pa[17] = x1 & 8191
                x0 = x1 >> 13
                x1 = t18 + x0
                pa[18] = x1 & 8191
                x0 = x1 >> 13
                pa[19] = x0
            k += 6
        base += stride
