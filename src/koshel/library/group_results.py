"""What the library answers where there may be several transactions: of a split, a batch, and what was queued."""

from msgspec import Struct

from koshel.core import exchanging
from koshel.core.model import Declined, Found, Grouped, Opened, Outcome, Posted, Queued, Replayed
from koshel.errors import Refused
from koshel.library import results
from koshel.library.exchanges import Exchange, exchange
from koshel.library.results import Account, Promise, Transaction


class SplitResult(Struct, frozen=True, kw_only=True):
    """What became of a split: a transaction for each leg, in order; None for one that comes to nothing.

    Or what became of its holds, if they were captured or voided together.
    """

    group_id: int | None  # None in a rehearsal
    transactions: list[Transaction | None]


def queued_of(outcome: Outcome) -> Promise | Transaction | SplitResult | Exchange:
    """What a request for the background has answered: what was made if its key has made it before. Raises Refused."""
    return _shown(results.first_of(outcome))


def split_of(outcome: Outcome) -> SplitResult:
    """What a split has answered. Raises Refused, Promised."""
    first = results.decided(outcome)
    assert isinstance(first, Grouped)
    return split(first)


def split(grouped: Grouped) -> SplitResult:
    """The split, as the library shows it."""
    made = [results.transaction(one) if isinstance(one, Posted) else None for one in grouped.outcomes]
    return SplitResult(group_id=grouped.group_id, transactions=made)


def members_of(outcome: Outcome) -> list[Transaction | SplitResult | Exchange | Account | Promise | Refused]:
    """What each member of a batch was answered, in order. Raises Refused."""
    group = results.first_of(outcome)
    assert isinstance(group, Grouped)
    return [_member(one.first if isinstance(one, Replayed) else one) for one in group.outcomes]


def _member(first: object) -> Transaction | SplitResult | Exchange | Account | Promise | Refused:
    if isinstance(first, Declined):
        return results.refusal(first)
    return results.account(first.account) if isinstance(first, Opened | Found) else _shown(first)


def _shown(first: object) -> Transaction | SplitResult | Exchange | Promise:
    if isinstance(first, Grouped):
        return exchange(first) if isinstance(first.command, exchanging.Exchange) else split(first)
    assert isinstance(first, Posted | Queued)
    return results.transaction(first) if isinstance(first, Posted) else results.queued_transaction(first)
