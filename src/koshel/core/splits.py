"""One amount in legs: to several targets by shares, or from several sources in order.

    checked: the accounts, the amount ──▶ a part for each leg ──▶ each leg decided as any move or hold

The currency, and so what a cent is, and what each source can spend are known only here, under the locks.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import reduce

from msgspec import UNSET
from msgspec.structs import replace

from koshel.core import declined, declined_splits, declined_times, limits
from koshel.core.book import apply, available, limit
from koshel.core.commands import UNRESOLVED, Hold, Kind, Move, Split, Status
from koshel.core.holds import expiry, hold
from koshel.core.labelled import labels
from koshel.core.legs import AccountIdPair, LeftOut
from koshel.core.model import Account, Book, Declined, Grouped, MemberOutcome, Posted, State
from koshel.core.money import CEILING, ZEROS, plus, rounded
from koshel.core.moves import account, moved
from koshel.core.parts import assigned, drawn
from koshel.core.posting import post
from koshel.core.split_limits import out_of_limits

_OPEN = Status.OPEN.value


def split(book: Book, command: Split, ahead: Book) -> Grouped | Declined:
    """All legs, or the refusal of the whole. The book stays as it was; `ahead` has the accounts past the legs."""
    accounts = _named(book, command)
    if isinstance(accounts, Declined):
        return accounts
    one = next(iter(accounts.values()))
    amount = rounded(command.amount, one.scale)
    if not 0 < amount < CEILING:
        return declined.amount_out_of_range(command, one, amount)
    parts: Sequence[Decimal] | Declined | None = None if command.sources else assigned(command, one, amount)
    if isinstance(parts, Declined):
        return parts
    if command.capture_at is not UNSET and command.capture_at >= (ends := expiry(command, book.facts.now)):
        return declined_times.capture_too_late(command, command.capture_at, ends)
    if refusal := _unusable(command, accounts.values()):
        return refusal
    if parts is None:
        parts = drawn(command, accounts, one, amount, book.state.turnovers)
        if isinstance(parts, Declined):
            return parts
    assert reduce(plus, parts) == amount, "the legs add up to the amount"
    if refusal := _unaffordable(command, accounts, amount):
        return refusal
    ahead.state = State(accounts.copy())
    made = _legs(ahead, command, one, parts)
    turnovers = {id_: book.state.turnovers[id_] for id_ in accounts if id_ in book.state.turnovers}
    if isinstance(made, Declined) or not turnovers:
        return made
    # Limits by time come last: all else is decided before a limit refuses anything.
    ahead.state = State(accounts, turnovers=turnovers)
    return _over_limit(ahead, command, accounts, amount) or _legs(ahead, command, one, parts)


def _named(book: Book, command: Split) -> dict[int, Account] | Declined:
    """The accounts by their ids, sources before targets; if they are there, in one currency, and differ in each leg."""
    sources: list[int | None] = [leg.source_account_id for leg in command.sources] or [command.source_account_id]
    targets: list[int | None] = [leg.target_account_id for leg in command.targets] or [command.target_account_id]
    if not {*sources}.isdisjoint(targets) and (refusal := _across(book, command)):
        return refusal
    accounts: dict[int, Account] = {}
    for name, side, several in (("source", sources, command.sources), ("target", targets, command.targets)):
        for place, id_ in enumerate(side):
            if id_ is None or id_ in accounts:
                continue
            found = account(book, command, id_)
            if found is None:
                at = f"{name}s/{place}/" if several else ""
                asked = getattr(several[place] if several else command, name)
                return declined_splits.account_not_found(command, f"{at}{name}", id_, asked)
            accounts[id_] = found
    return _mismatch(command, accounts) or accounts


def _across(book: Book, command: Split) -> Declined | None:
    """The refusal of the first leg whose source is its target."""
    for place, (source_id, target_id) in enumerate(command.pairs):
        if source_id == target_id:
            source, target = command.names[place]
            if source_id != UNRESOLVED or source == target:
                return declined.same_account(book, command, source_id, source or target)
    return None


def _mismatch(command: Split, accounts: Mapping[int, Account]) -> Declined | None:
    """The refusal of the first leg whose accounts differ in currency: from each other, or from the first of all."""
    if len({(one.currency, one.scale) for one in accounts.values()}) == 1:
        return None
    first = next(iter(accounts.values()))
    pairs = ((accounts.get(source or 0, first), accounts.get(target or 0, first)) for source, target in command.pairs)
    differing = next(pair for pair in pairs if pair[0].currency != pair[1].currency or pair[0].scale != pair[1].scale)
    return declined.currency_mismatch(command, *differing)


def _unusable(command: Split, accounts: Iterable[Account]) -> Declined | None:
    """The refusal if any account lets no money in or out, whether its leg comes to something or not."""
    unusable = [one for one in accounts if one.status != _OPEN]
    if not unusable:
        return None
    closed = next((one for one in unusable if one.status == Status.CLOSED), None)
    return declined.account_closed(command, closed) if closed else declined.account_frozen(command, unusable[0])


def _unaffordable(command: Split, accounts: Mapping[int, Account], amount: Decimal) -> Declined | None:
    """The refusal if the account that all legs have in common cannot spend the whole amount, or take it."""
    source, target = _common(command, accounts)
    if source and amount > available(source):
        return declined.insufficient_funds(command, source, amount)
    if target and command.kind is not Kind.HOLD and plus(target.balance, amount) > limit(target):
        return declined.balance_limit_exceeded(command, target, amount)
    return None


def _over_limit(book: Book, command: Split, accounts: Mapping[int, Account], amount: Decimal) -> Declined | None:
    """The refusal if a limit by time does not let the whole amount out of the sources, or into the one target."""
    if command.sources and (refusal := out_of_limits(book, command, accounts, amount)):
        return refusal
    source, target = _common(command, accounts)
    return limits.exceeded(book, command, source, None if command.kind is Kind.HOLD else target, amount)


def _common(command: Split, accounts: Mapping[int, Account]) -> tuple[Account | None, Account | None]:
    return accounts.get(command.source_account_id or 0), accounts.get(command.target_account_id or 0)


def _legs(ahead: Book, command: Split, one: Account, parts: Sequence[Decimal]) -> Grouped | Declined:
    """Each leg in order, on a book that has nothing but the accounts, and moves on with each."""
    outcomes: list[MemberOutcome] = []
    is_hold, said = command.kind is Kind.HOLD, labels(command)
    like = Move(command.ledger_id, command.kind, None, None, command.amount, **said)  # what all legs have in common
    for (source_id, target_id), part in zip(command.pairs, parts, strict=True):
        if not part:
            names = _name(ahead, source_id), _name(ahead, target_id)
            outcomes.append(LeftOut(source_id, target_id, ZEROS[one.scale], one.currency, *names))
            continue
        outcome: Posted | Declined
        if is_hold:
            outcome = _hold(ahead, command, (source_id, target_id), part)
        else:
            outcome = _move(ahead, command, like, (source_id, target_id), part)
        if not isinstance(outcome, Posted):  # a target of several legs may be full after the first
            return outcome
        apply(ahead.state, outcome)
        outcomes.append(outcome)
    return Grouped(command, outcomes)


def _name(book: Book, account_id: int | None) -> str | None:
    return None if account_id is None else book.state.accounts[account_id].name


def _move(book: Book, command: Split, like: Move, sides: AccountIdPair, amount: Decimal) -> Posted | Declined:
    """A leg that moves money. What any move is refused for besides has been looked at for all legs together."""
    accounts = book.state.accounts
    source_id, target_id = sides
    source = None if source_id is None else accounts[source_id]
    target = None if target_id is None else accounts[target_id]
    after = moved(book, command, source, target, amount)
    if not isinstance(after, tuple):  # a refusal: to ask for what it nearly never is would be slow
        return after
    one = source or target
    assert one is not None, "a move has at least one side"
    return post(book, like, one.currency, amount, source=after[0], target=after[1])


def _hold(book: Book, command: Split, sides: AccountIdPair, amount: Decimal) -> Posted:
    """A leg that reserves money; what was asked for is said by the split."""
    source_id, target_id = sides
    assert source_id is not None, "a hold has a source"
    lasts, default_lasts, at = command.expires_in, command.default_expires_in, command.capture_at
    leg = Hold(
        command.ledger_id, source_id, target_id, amount, lasts, None, default_lasts, capture_at=at, **labels(command)
    )
    outcome = hold(book, leg)
    assert isinstance(outcome, Posted), "whatever a hold is refused for has been looked at for all legs together"
    return replace(outcome, request=None)
