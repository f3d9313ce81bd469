# The viper module p256_slots.py as its callers see it: pointers are buffers.

def invert(a: int, b: int, ws: bytearray, dst: int, src: int, modulus: int, tmp: int) -> int: ...
def gather(
    a: int,
    b: int,
    ws: bytearray,
    dst: int,
    stride: int,
    table: bytes | bytearray | memoryview,
    digits: bytes | bytearray | memoryview,
    count: int,
    shift: int,
    span: int,
) -> None: ...
def scatter(
    a: int,
    b: int,
    ws: bytearray,
    src: int,
    stride: int,
    table: bytearray | memoryview,
    digits: bytes | bytearray | memoryview,
    count: int,
) -> None: ...
def columns(a: int, b: int, scalar: bytes, out: bytearray) -> None: ...
def select(a: int, b: int, table: bytes | bytearray | memoryview, digit: int, out: bytearray) -> None: ...
