"""The root of every error that core raises."""


class CoreError(Exception):
    """Input or arguments that core refuses.

    The message names the fault, never the data: it may end up in a log.
    """
