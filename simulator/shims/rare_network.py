"""``network``: what is rarely used, loaded at its first use."""

station = ["mpy-esp32s3"]


def hostname(name: object = None) -> object:
    """The name of the station."""
    if name is None:
        return station[0]
    station[0] = name


def country(code: object = None) -> object:
    """The regulatory domain; has no effect."""
    return "CN"
