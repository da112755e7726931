"""How a command ended that was run in this process."""

from collections.abc import Callable


class Ended:
    """Its status, what it printed, and what it complained of."""

    def __init__(self, status: int, printed: str, complained: str) -> None:
        self.status = status
        self.printed = printed
        self.complained = complained


Koshel = Callable[..., Ended]
