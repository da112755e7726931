"""The book moves on: what an outcome does to the accounts, receipts and holds that later commands see."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import TypeAlias, assert_never

from msgspec import UNSET
from msgspec.structs import replace

from koshel.core.commands import Kind, Move, Request
from koshel.core.legs import LeftOut
from koshel.core.model import (
    Account,
    AccountDetails,
    Annotated,
    Book,
    Changed,
    Declined,
    Executed,
    Found,
    Grouped,
    Opened,
    Outcome,
    Posted,
    Queued,
    Refusal,
    Replayed,
    State,
)
from koshel.core.money import TOPS, minus, plus
from koshel.core.originals import Original, Pending, kind_of
from koshel.core.sides import Side
from koshel.core.turnovers import Turnover, Turnovers

Recorded: TypeAlias = Opened | Changed | Annotated | Queued | Grouped | Declined  # what a receipt keeps as it is


def available(account: Account) -> Decimal:
    """What it can spend now."""
    return minus(minus(account.balance, account.held), account.min_balance)


def limit(account: Account) -> Decimal:
    """The highest balance it may have; without a limit of its own, what eighteen digits can say."""
    return TOPS[account.scale] if account.max_balance is None else account.max_balance


def after(book: Book, outcomes: Iterable[Outcome]) -> Book:
    """The book as these outcomes leave it; the given one stays as it was."""
    ahead = Book(book.facts, book.state.copy())
    for outcome in outcomes:
        apply(ahead.state, outcome)
    return ahead


def apply(state: State, outcome: Outcome) -> None:
    """Move the state past one outcome, in place."""
    match outcome:
        case Posted():
            _post(state, outcome)
            if outcome.key is not None:
                state.receipts[outcome.ledger_id, outcome.key] = outcome
        case Opened():
            _open(state, outcome.account)
            _turn(state.turnovers, outcome)
            remember(state, outcome)
        case Queued() | Declined():
            remember(state, outcome)
        case Changed() | Annotated():
            _change(state, outcome)
            remember(state, outcome)
        case Executed():
            _execute(state, outcome)  # its key, if it had one, has answered when it was queued
        case Grouped():
            for one in outcome.outcomes:
                apply(state, one)
            remember(state, outcome)
        case Found() | Replayed() | LeftOut():
            pass
        case _:
            assert_never(outcome)


def remember(state: State, outcome: Recorded) -> None:
    """What its key, if it has one, answers from now on."""
    if has_receipt(outcome):
        assert outcome.command.key is not None, "what has no key is not remembered"
        state.receipts[outcome.command.ledger_id, outcome.command.key] = outcome


def _open(state: State, account: AccountDetails) -> None:
    if account.id:  # else nobody can ask for it yet
        state.accounts[account.id] = state.details[account.id] = account


def _change(state: State, outcome: Changed | Annotated) -> None:
    if isinstance(outcome, Annotated):
        state.noted[outcome.transaction.id] = outcome.transaction, outcome.revision
        return
    state.accounts[outcome.account.id] = state.details[outcome.account.id] = outcome.account
    _limit(state.turnovers, outcome)


def _execute(state: State, executed: Executed) -> None:
    """Its id has been known since it was queued, so later commands may refer to it."""
    command, outcome = executed.command, executed.outcome
    if isinstance(outcome, Declined):
        state.pending[command.id] = Pending(command.ledger_id, kind_of(command.command), "declined")
        return
    state.pending.pop(command.id, None)
    for posted in outcome.outcomes if isinstance(outcome, Grouped) else [outcome]:
        if isinstance(posted, Opened):
            apply(state, posted)  # by an exchange
        elif isinstance(posted, Posted):
            if posted.id:
                state.originals[command.id] = original(posted)
                state.refunded[command.id] = minus(posted.amount, posted.amount)
                state.noted[command.id] = posted, 0
            _post(state, posted)


def original(posted: Posted) -> Original:
    """The transaction as those see it that follow it."""
    return Original(
        posted.id,
        posted.ledger_id,
        posted.kind,
        posted.source.account_id if posted.source else None,
        posted.target.account_id if posted.target else None,
        posted.amount,
        posted.currency,
        posted.expires_at,
        posted.reference,
    )


def effective_on(posted: Posted) -> date:
    """The day that the transaction counts for: its own in UTC, unless another was given."""
    return posted.ctime.date() if posted.effective_on is None else posted.effective_on


def has_receipt(outcome: Recorded) -> bool:
    """Whether its key gives this answer from now on: not if the key already stands for another."""
    if outcome.command.key is None:
        return False
    return not isinstance(outcome, Declined) or outcome.refusal is not Refusal.IDEMPOTENCY_KEY_REUSED


# What a posted move and its request have by the same name; the request has the ids of the sides besides.
_SHARED = [name for name in Move.__struct_fields__ if name in {*Posted.__struct_fields__} - {"source", "target"}]


def asked(posted: Posted) -> Request:
    """What was asked; of a move, the transaction itself says it, with the amount as it was rounded."""
    if type(posted.request) is Move:  # by names
        return replace(posted.request, amount=posted.amount)
    return posted.request or Move(
        source_account_id=posted.source.account_id if posted.source else None,
        target_account_id=posted.target.account_id if posted.target else None,
        **{name: getattr(posted, name) for name in _SHARED},
    )


def turned(turnovers: Turnovers, outcomes: Iterable[Outcome]) -> Turnovers:
    """The turnovers as these outcomes leave them; the given ones stay as they were."""
    ahead = turnovers.copy()
    for outcome in outcomes:
        _turn(ahead, outcome)
    return ahead


def _turn(turnovers: Turnovers, outcome: Outcome) -> None:
    match outcome:
        case Posted():
            _count(turnovers, outcome)
        case Executed():
            _turn(turnovers, outcome.outcome)
        case Grouped():
            for one in outcome.outcomes:
                _turn(turnovers, one)
        case Changed():
            _limit(turnovers, outcome)
        case Opened(account=account) if account.id and account.limits:
            turnovers[account.id] = Turnover((), 0, {}, {}).given(account.limits, 0)
        case _:
            pass  # nothing moved


def _limit(turnovers: Turnovers, changed: Changed) -> None:
    """What its limits by time are measured against from now on."""
    account = changed.account
    if changed.command.limits is not UNSET and (account.limits or account.id in turnovers):
        turnover = turnovers.get(account.id) or Turnover((), 0, {}, {})
        turnovers[account.id] = turnover.given(account.limits, account.version)


def _count(turnovers: Turnovers, posted: Posted) -> None:
    """What goes out of accounts with limits by time, or comes in. What is only held or released stays where it is."""
    source, target = posted.source, posted.target
    if posted.kind in _STAYING:
        return
    if source is not None and (turnover := turnovers.get(source.account_id)) is not None:
        turnovers[source.account_id] = turnover.sent(posted.amount)
    if target is not None and (turnover := turnovers.get(target.account_id)) is not None:
        turnovers[target.account_id] = turnover.taken(posted.amount)


_STAYING = frozenset({Kind.HOLD, Kind.VOID, Kind.EXPIRY})


def _post(state: State, posted: Posted) -> None:
    if state.turnovers:
        _count(state.turnovers, posted)
    if posted.source is not None:
        _update(state.accounts, posted.source)
    if type(posted.target) is Side:
        _update(state.accounts, posted.target)
    if posted.rest is not None:
        _reserve(state, posted, posted.rest)
    if posted.kind is Kind.REFUND:
        assert posted.parent_id is not None
        state.refunded[posted.parent_id] = plus(state.refunded[posted.parent_id], posted.amount)


def _update(accounts: dict[int, Account], side: Side) -> None:
    old = accounts[side.account_id]
    # Field by field: several times faster than msgspec.structs.replace, and this is the hot path.
    accounts[side.account_id] = Account(
        old.ledger_id,
        old.id,
        old.currency,
        old.scale,
        side.balance,
        side.held,
        side.version,
        old.revision,
        old.min_balance,
        old.max_balance,
        old.status,
        old.name,
    )


def _reserve(state: State, posted: Posted, rest: Decimal) -> None:
    """A hold and what follows it: what it reserves from now on."""
    if posted.parent_id is not None:
        state.holds[posted.parent_id] = rest or posted.kind
    elif posted.id:  # else nobody knows its id yet, so nothing can refer to it
        state.holds[posted.id] = rest
