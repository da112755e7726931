"""The requests that take other requests: what is settled together, and what is decided later."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from msgspec import UNSET, UnsetType

from koshel.asking.exchange_requests import ExchangeRequests
from koshel.core.commands import Deferrable, Enqueue, EnsureAccount, Group, Move, Request
from koshel.core.ending import EndSplit
from koshel.core.exchanging import Exchange
from koshel.core.reach import weight_of
from koshel.inputs.moments import Moment, moment
from koshel.inputs.values import MEMBERS_MAX, Invalid

MemberRequest: TypeAlias = Request | Exchange | EnsureAccount

OF_ANOTHER = "must be a request of this ledger: another ledger has made it"
NO_END = "must not be of a whole split: a batch takes captures and voids of holds"
NO_REQUEST = "must be a request, as one of the methods of `requests` makes it"


class GroupRequests(ExchangeRequests):
    """These requests of one ledger. Each method raises Invalid for a request that is none, or of another ledger."""

    def batch(self, members: Sequence[MemberRequest], *, atomic: bool = True, key: str | None = None) -> Group:
        """Requests that are settled together, in order; if atomic, all of them or none."""
        if not isinstance(members, Sequence):
            raise Invalid("transactions", "must be a list of requests")
        if not 0 < len(members) <= MEMBERS_MAX:
            raise Invalid("transactions", f"must have 1 to {MEMBERS_MAX} members")
        ledger_id = self.ledger_id
        for at, one in enumerate(members):
            if type(one) is not Move or one.ledger_id != ledger_id:  # nearly all are, and `isinstance` is slow
                self._check(one, f"transactions/{at}", MemberRequest)
        group = Group(self.ledger_id, tuple(members), atomic, key)
        if weight_of(group) > MEMBERS_MAX:
            raise Invalid(
                "transactions",
                f"must not make more than {MEMBERS_MAX} transactions, with all legs of splits, and two of an exchange",
            )
        # Its receipt would keep the email of an account that it opens, and nothing could erase that there.
        if key is not None and (opening := [at for at, one in enumerate(members) if isinstance(one, EnsureAccount)]):
            raise Invalid(f"transactions/{opening[0]}/open", "does not go with a key of the whole batch")
        return group

    def enqueue(self, request: Deferrable, *, execute_at: Moment | UnsetType = UNSET) -> Enqueue:
        """A request that is decided in the background: as soon as can be, or when it is time."""
        self._check(request, "request", Deferrable)
        if execute_at is UNSET:
            return Enqueue(self.ledger_id, request, request.key)
        wanted = moment(execute_at, "execute_at")
        return Enqueue(self.ledger_id, request, request.key, wanted, self.terms.schedule_max_s)

    def _check(self, request: Any, field: str, kinds: Any) -> None:
        """Raise Invalid for what is no such request, or names another ledger: its money would move there."""
        if not isinstance(request, kinds):
            raise Invalid(field, NO_END if isinstance(request, EndSplit) else NO_REQUEST)
        if request.ledger_id != self.ledger_id:
            raise Invalid(field, OF_ANOTHER)
