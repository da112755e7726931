"""The outcomes of a batch, with the batch's id: so that each answer can say which batch it came from."""

from collections.abc import Iterable
from typing import TypeVar
from uuid import UUID

T = TypeVar("T")


class Outcomes(list[T]):
    """What became of each command, in order. `batch_id` is that of the row in `batch`, if the batch wrote anything."""

    def __init__(self, outcomes: Iterable[T], batch_id: UUID) -> None:
        super().__init__(outcomes)
        self.batch_id = str(batch_id)
