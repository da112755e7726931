"""Replies that are made once: what anybody can send, or what a flood consists of, must cost next to nothing.

None of them is to be changed.
"""

from functools import cache

from koshel.callers import Reason
from koshel.errors import Overloaded
from koshel.http.authorization import unauthenticated
from koshel.http.call import Reply
from koshel.http.server import failure_of, problem


@cache
def overloaded() -> Reply:
    """To what is too much."""
    return problem(failure_of(Overloaded(), ""))


@cache
def unknown_sender(reason: Reason) -> Reply:
    """To a request of which nobody knows who sends it."""
    return problem(unauthenticated(reason))
