# The viper module adpcm_native.py as its callers see it: pointers are buffers.

def decode(
    data: bytes | memoryview, at: int, count: int, state: bytearray, steps: bytes, out: bytearray
) -> None: ...
