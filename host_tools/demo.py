"""placeholder"""

from host_tools.state import State


def demo(state: State) -> int:
    """Play."""
    raise NotImplementedError
