"""``os``: what the unix port lacks, loaded at its first use."""


def sync() -> None:
    """Every write is through at once."""


def uname() -> tuple:
    """(system, node, release, version, machine)."""
    return ("esp32", "esp32", "1.29.0", "v1.29.0 simulated", "Yima simulated board with ESP32S3")


def dupterm(stream: object, index: int = 0) -> None:
    """The console stays where it is."""
