"""An interpreter of the Xtensa instructions that MicroPython's emitter writes; it counts them.

Every stretch of code up to the next jump becomes a Python function when it is first met. What the code calls
in MicroPython's runtime, conversion of arguments and division, happens here and is counted apart. Encodings:
Xtensa Instruction Set Architecture, chapter 7; a name like "qrst" below is that of an opcode table there.
"""

from __future__ import annotations

from collections.abc import Callable

_MASK = 0xFFFFFFFF
_RUNTIME = 0xF0000000
_FUNCTIONS = 128
#: Of mp_fun_table in py/nativeglue.c: an object to a number, and back.
_CONVERSIONS = (3, 4)
_BRANCH_CONSTANTS = (-1, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 32, 64, 128, 256)  # B4CONST
_HALT = -1
#: Register 16 stands for SAR, the shift amount.
_REGISTERS = 17

Block = Callable[[list[int]], tuple[int, int]]


def _signed(source: str) -> str:
    return f"(({source} ^ 0x80000000) - 0x80000000)"


def _extend(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


class Machine:
    """Memory, code in it, and a count of executed instructions, conversions and divisions."""

    def __init__(self, size: int = 1 << 20) -> None:
        self.memory = bytearray(size)
        self.words = memoryview(self.memory).cast("I")
        self.halves = memoryview(self.memory).cast("H")
        self.instructions = self.conversions = self.divisions = 0
        self._top = 64
        self._stack = size - 64
        self._blocks: dict[int, Block] = {}
        # What a viper function finds through its first argument: itself, its module's context, a table of
        # objects, and the table of the runtime's functions.
        functions, objects, context, self._self = (self.allocate(n) for n in (4 * _FUNCTIONS, 16, 64, 64))
        for i in range(_FUNCTIONS):
            self.words[(functions >> 2) + i] = _RUNTIME + i
        self.words[objects >> 2] = functions
        self.words[(context + 12) >> 2] = objects
        self.words[(self._self + 4) >> 2] = context
        self.mark = self._top

    def allocate(self, size: int) -> int:
        """Address of fresh memory."""
        at = self._top
        self._top += (size + 15) & ~15
        return at

    def put(self, data: bytes) -> int:
        """Address of a copy of `data`."""
        at = self.allocate(len(data) + 4)
        self.memory[at : at + len(data)] = data
        return at

    def keep(self) -> None:
        """What was allocated so far stays when `release` is called."""
        self.mark = self._top

    def release(self) -> None:
        """Forget what was allocated since `keep`."""
        self._top = self.mark

    def run(self, code: int, *arguments: int) -> int:
        """Call the viper function at an address; its answer as a signed number."""
        registers = [0] * _REGISTERS
        at = self._stack - 4 * len(arguments)
        for i, value in enumerate(arguments):
            self.words[(at >> 2) + i] = value & _MASK
        # Arguments of any viper function: itself, count, keywords, array of arguments.
        registers[1:6] = self._stack - 4096, self._self, len(arguments), 0, at
        blocks = self._blocks
        pc = code
        while pc != _HALT:
            block = blocks.get(pc)
            if block is None:
                block = blocks[pc] = self._compile(pc)
            pc, count = block(registers)
            self.instructions += count
        return _extend(registers[2], 32)

    def _runtime(self, registers: list[int], target: int) -> None:
        """A function of MicroPython; arguments and answer are in registers 10 and 11."""
        if target - _RUNTIME in _CONVERSIONS:
            self.conversions += 1
            return
        self.divisions += 1
        registers[10] = (_extend(registers[10], 32) // _extend(registers[11], 32)) & _MASK

    def _compile(self, pc: int) -> Block:
        """The stretch of code at `pc` as a function of the registers: where to go on, and its length."""
        lines = []
        count = 0
        ends = False
        while not ends:
            source, following, ends = self._decode(pc)
            count += 1
            lines.append(f"return {source}, {count}" if ends else source)
            pc = following
        names = {"w": self.words, "h": self.halves, "m": self.memory, "M": _MASK, "call": self._runtime}
        # Our own text, made of nothing but numbers out of our own machine code.
        exec("def block(a):\n " + "\n ".join(lines), names)  # noqa: S102
        block: Block = names["block"]  # type: ignore[assignment]
        return block

    def _decode(self, pc: int) -> tuple[str, int, bool]:
        """An instruction's effect, or where a jump leads; the next address; whether it is a jump."""
        b0, b1, b2 = self.memory[pc : pc + 3]
        op, t, s, r = b0 & 15, b0 >> 4, b1 & 15, b1 >> 4
        if op >= 8:
            return self._narrow(pc, op, t, s, r)
        following = pc + 3
        branch = None
        source = None
        if op == 0:
            if b2 >> 4 == 0 and b2 & 15 == 0 and r == 0 and t in (9, 10):
                return (str(_HALT) if t == 9 else f"a[{s}]"), following, True
            source = _qrst(b2 & 15, b2 >> 4, t, s, r)
        elif op == 1:  # l32r
            at = ((pc + 3) & ~3) + (((b1 | b2 << 8) - 65536) << 2)
            source = f"a[{t}] = w[{at >> 2}]"
        elif op == 2:
            source = _lsai(t, s, r, b2)
        elif op == 6:
            whole = b0 | b1 << 8 | b2 << 16
            kind, which = t & 3, t >> 2
            if kind == 0:  # j
                return str(pc + 4 + _extend(whole >> 6, 18)), following, True
            if kind == 1:  # beqz, bnez, bltz, bgez
                test = ("== 0", "!= 0", ">> 31", "< 0x80000000")[which]
                branch = pc + 4 + _extend(whole >> 12, 12), f"a[{s}] {test}"
            elif kind == 2:  # beqi, bnei, blti, bgei
                test = ("==", "!=", "<", ">=")[which]
                branch = pc + 4 + _extend(b2, 8), f"{_signed(f'a[{s}]')} {test} {_BRANCH_CONSTANTS[r]}"
            elif which == 0:  # entry
                source = f"a[1] = a[1] - {(whole >> 12) * 8}"
        elif op == 7:
            x, y = f"a[{s}]", f"a[{t}]"
            tests = {1: f"{x} == {y}", 9: f"{x} != {y}", 3: f"{x} < {y}", 11: f"{x} >= {y}"}
            tests |= {2: f"{_signed(x)} < {_signed(y)}", 10: f"{_signed(x)} >= {_signed(y)}"}
            if r in tests:
                branch = pc + 4 + _extend(b2, 8), tests[r]
        if branch:
            return f"({branch[0]} if {branch[1]} else {following})", following, True
        if source is None:
            raise ValueError(f"no such instruction here: {b0:02x} {b1:02x} {b2:02x}")
        return source, following, False

    def _narrow(self, pc: int, op: int, t: int, s: int, r: int) -> tuple[str, int, bool]:
        """`_decode` for the instructions of two bytes."""
        following = pc + 2
        simple = {
            8: f"a[{t}] = w[(a[{s}] + {4 * r}) >> 2]",  # l32i.n
            9: f"w[(a[{s}] + {4 * r}) >> 2] = a[{t}]",  # s32i.n
            10: f"a[{r}] = (a[{s}] + a[{t}]) & M",  # add.n
            11: f"a[{r}] = (a[{s}] + {t or -1}) & M",  # addi.n
        }
        if op in simple:
            return simple[op], following, False
        if op == 12:
            if t < 8:  # movi.n
                value = (t & 7) << 4 | r
                return f"a[{s}] = {(value if value < 96 else value - 128) & _MASK}", following, False
            test = "!=" if t & 4 else "=="  # bnez.n, beqz.n
            return f"({pc + 4 + ((t & 3) << 4 | r)} if a[{s}] {test} 0 else {following})", following, True
        if op == 13 and r == 0:  # mov.n
            return f"a[{t}] = a[{s}]", following, False
        if op == 13 and (r, t) == (15, 1):  # retw.n
            return str(_HALT), following, True
        raise ValueError(f"no such narrow instruction here: {op} {t} {s} {r}")


def _qrst(o1: int, o2: int, t: int, s: int, r: int) -> str | None:
    """Instructions of three registers."""
    x, y = f"a[{s}]", f"a[{t}]"
    if o1 == 0:
        if o2 == 0:
            if r == 0 and t == 14:  # callx8
                return f"call(a, {x})"
            return "pass" if r == 2 else None  # nop and barriers
        shifts = {9: 1, 10: 2, 11: 3}
        if o2 in shifts:  # addx2, addx4, addx8
            return f"a[{r}] = (({x} << {shifts[o2]}) + {y}) & M"
        if o2 == 4:  # ssr, ssl, ssai
            amount = {0: f"{x} & 31", 1: f"32 - ({x} & 31)", 4: str(s | (t & 1) << 4)}.get(r)
            return amount and f"a[16] = {amount}"
        if o2 == 6 and s == 0:  # neg
            return f"a[{r}] = -{y} & M"
        sums = {
            1: f"{x} & {y}",
            2: f"{x} | {y}",
            3: f"{x} ^ {y}",
            8: f"({x} + {y}) & M",
            12: f"({x} - {y}) & M",
        }
        return f"a[{r}] = {sums[o2]}" if o2 in sums else None
    if o1 == 1:
        moved = {
            0: f"({x} << {32 - t}) & M",  # slli
            1: f"({x} << {16 - t}) & M",
            2: f"({_signed(y)} >> {s}) & M",  # srai
            3: f"({_signed(y)} >> {s | 16}) & M",
            4: f"{y} >> {s}",  # srli
            9: f"{y} >> a[16]",  # srl
            10: f"({x} << (32 - a[16])) & M",  # sll
            11: f"({_signed(y)} >> a[16]) & M",  # sra
        }.get(o2)
        return moved and f"a[{r}] = {moved}"
    if (o1, o2) == (2, 8):  # mull
        return f"a[{r}] = ({x} * {y}) & M"
    if o1 == 3 and 8 <= o2 <= 11:  # moveqz, movnez, movltz, movgez
        test = ("== 0", "!= 0", ">> 31", "< 0x80000000")[o2 - 8]
        return f"a[{r}] = {x} if {y} {test} else a[{r}]"
    if o1 in (4, 5):  # extui
        return f"a[{r}] = ({y} >> {s | (o1 & 1) << 4}) & {(2 << o2) - 1}"
    return None


def _lsai(t: int, s: int, r: int, b2: int) -> str | None:
    """Loads, stores and sums with an immediate."""
    low = _extend(b2, 8)
    return {
        0: f"a[{t}] = m[a[{s}] + {b2}]",  # l8ui
        1: f"a[{t}] = h[(a[{s}] + {2 * b2}) >> 1]",  # l16ui
        2: f"a[{t}] = w[(a[{s}] + {4 * b2}) >> 2]",  # l32i
        4: f"m[a[{s}] + {b2}] = a[{t}] & 255",  # s8i
        5: f"h[(a[{s}] + {2 * b2}) >> 1] = a[{t}] & 65535",  # s16i
        6: f"w[(a[{s}] + {4 * b2}) >> 2] = a[{t}]",  # s32i
        10: f"a[{t}] = {_extend(s << 8 | b2, 12) & _MASK}",  # movi
        12: f"a[{t}] = (a[{s}] + {low}) & M",  # addi
        13: f"a[{t}] = (a[{s}] + {256 * low}) & M",  # addmi
    }.get(r)
