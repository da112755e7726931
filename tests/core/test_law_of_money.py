"""What holds for the money in every book, whatever happens to it."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from hypothesis import given, settings

from koshel.core.book import after, available, limit
from koshel.core.commands import Command, Kind
from koshel.core.decide import decide
from koshel.core.model import Account, Book, Executed, Opened, Posted
from koshel.core.money import minus, plus
from koshel.core.refunds import REFUNDABLE
from koshel.core.sides import Named, Side
from tests.support.looks import accounts_of, source_of
from tests.support.strategies import situations
from tests.support.wallets import parts, postings

Situation = tuple[Book, list[Command]]

thorough = settings(max_examples=600, deadline=None, derandomize=True)

MOVES_NOTHING = {Kind.HOLD, Kind.VOID, Kind.EXPIRY}
NEW = (0, Decimal(0), Decimal(0))  # version, balance and held of an account that was opened just now


def steps(situation: Situation) -> Iterator[tuple[Book, list[Posted], Book]]:
    """The book before each command, what was posted by it, and the book after it."""
    book, commands = situation
    for command in commands:
        outcomes = decide(book, [command])
        ahead = after(book, outcomes)
        yield book, postings(outcomes), ahead
        book = ahead


def totals(book: Book) -> dict[tuple[int, str], Decimal]:
    """Sum of balances per ledger and currency."""
    sums: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
    for account in book.state.accounts.values():
        sums[account.ledger_id, account.currency] = plus(sums[account.ledger_id, account.currency], account.balance)
    return sums


def reserved(book: Book, account_id: int) -> Decimal:
    """Sum of what the account's open holds, as far as they can be referred to, still reserve."""
    sums = Decimal(0)
    for id_, rest in book.state.holds.items():
        if not isinstance(rest, Kind) and book.state.originals[id_].source_account_id == account_id:
            sums = plus(sums, rest)
    return sums


@thorough
@given(situations)
def test_money_comes_from_outside_and_goes_there_and_in_no_other_way(situation: Situation) -> None:
    for book, posted, ahead in steps(situation):
        expected = totals(book)
        for one in posted:
            where = one.ledger_id, one.currency
            if one.source is None:
                expected[where] = plus(expected[where], one.amount)
            if one.target is None and one.kind not in MOVES_NOTHING:
                expected[where] = minus(expected[where], one.amount)
        # An account that was opened has nothing yet.
        assert {where: total for where, total in totals(ahead).items() if total or where in expected} == expected


@thorough
@given(situations)
def test_no_floor_and_no_ceiling_is_ever_crossed_and_no_more_is_held_than_there_is(situation: Situation) -> None:
    for _, _, ahead in steps(situation):
        for account in ahead.state.accounts.values():
            assert available(account) >= 0
            assert account.held >= 0
            assert account.balance <= limit(account) < 10**18


@thorough
@given(situations)
def test_what_an_account_holds_is_what_its_open_holds_reserve(situation: Situation) -> None:
    unnamed: dict[int | None, Decimal] = defaultdict(Decimal)  # by account: holds whose ids are not given yet
    for _, posted, ahead in steps(situation):
        for one in posted:
            if one.kind is Kind.HOLD and one.id == 0:
                source_id = source_of(one).account_id
                unnamed[source_id] = plus(unnamed[source_id], one.amount)
        for account in ahead.state.accounts.values():
            assert account.held == plus(reserved(ahead, account.id), unnamed[account.id])


@thorough
@given(situations)
def test_the_captures_of_a_hold_never_exceed_it_and_nothing_follows_its_end(situation: Situation) -> None:
    for book, posted, ahead in steps(situation):
        for one in posted:
            if one.kind in {Kind.CAPTURE, Kind.VOID, Kind.EXPIRY}:
                assert one.parent_id is not None
                original = ahead.state.originals[one.parent_id]
                was = book.state.holds.get(one.parent_id, original.amount)
                assert original.kind is Kind.HOLD
                assert not isinstance(was, Kind)
                assert one.amount <= was <= original.amount
                assert original.expires_at is not None
                assert (book.facts.now >= original.expires_at) == (one.kind is Kind.EXPIRY)
        for id_, rest in book.state.holds.items():
            now = ahead.state.holds[id_]
            assert now == rest if isinstance(rest, Kind) else isinstance(now, Kind) or 0 < now <= rest


@thorough
@given(situations)
def test_the_refunds_of_a_transaction_never_exceed_it_and_go_back_the_way_it_came(situation: Situation) -> None:
    for book, posted, ahead in steps(situation):
        sums: dict[int, Decimal] = defaultdict(Decimal, book.state.refunded)
        for one in posted:
            if one.kind is Kind.REFUND:
                assert one.parent_id is not None
                original = ahead.state.originals[one.parent_id]
                assert original.kind in REFUNDABLE
                assert accounts_of(one) == (original.target_account_id, original.source_account_id)
                sums[one.parent_id] = plus(sums[one.parent_id], one.amount)
        for id_, refunded in ahead.state.refunded.items():
            assert refunded == sums[id_] <= ahead.state.originals[id_].amount


def sides(one: Posted) -> Iterator[tuple[int, tuple[int, Decimal, Decimal], Decimal]]:
    """The accounts that it touches; the version, balance and held that it tells; what it adds to the balance."""
    nothing = minus(one.amount, one.amount)
    moved = nothing if one.kind in MOVES_NOTHING else one.amount
    for side, change in ((one.source, minus(nothing, moved)), (one.target, moved)):
        assert isinstance(side, Named) == (side is one.target is not None and one.kind in MOVES_NOTHING)
        if isinstance(side, Side):
            yield side.account_id, (side.version, side.balance, side.held), change


def freed(one: Posted, was: Decimal) -> Decimal:
    """What it adds to what the source holds, if its hold reserved so much before."""
    match one.kind:
        case Kind.HOLD:
            return one.amount
        case Kind.CAPTURE | Kind.VOID | Kind.EXPIRY:
            assert one.rest is not None
            return minus(one.rest, was)
        case _:
            return minus(one.amount, one.amount)


@thorough
@given(situations)
def test_an_accounts_history_proves_itself(situation: Situation) -> None:
    start, commands = situation
    last = {one.id: (one.version, one.balance, one.held) for one in start.state.accounts.values()}
    reserving = dict(start.state.holds)
    outcomes = decide(start, commands)
    done = [one.outcome if isinstance(one, Executed) else one for one in parts(outcomes)]
    opened = [one.account for one in parts(done) if isinstance(one, Opened)]
    last |= {account.id: NEW for account in opened if account.name is not None}
    for one in postings(outcomes):
        parent_id = one.parent_id or 0
        was = reserving.get(parent_id, Decimal(0))
        assert not isinstance(was, Kind)
        added = freed(one, was)
        for account_id, told, moved in sides(one):
            version, balance, held = last[account_id]
            expected = plus(held, added) if one.source and account_id == one.source.account_id else held
            assert told == (version + 1, plus(balance, moved), expected)
            last[account_id] = told
        if one.rest is not None:
            reserving[parent_id or one.id] = one.rest
    ahead = after(start, outcomes)
    assert last == {one.id: (one.version, one.balance, one.held) for one in ahead.state.accounts.values()}


@thorough
@given(situations)
def test_money_has_exactly_the_decimals_of_its_currency(situation: Situation) -> None:
    for book, posted, _ in steps(situation):
        for one in posted:
            exponent = -book.facts.scales[one.currency]
            sides = [side for side in (one.source, one.target) if side]
            told = (one.amount, one.rest, *(money for side in sides for money in (side.balance, side.held)))
            for money in told:
                assert money is None or money.as_tuple().exponent == exponent


@thorough
@given(situations)
def test_money_never_crosses_ledgers_or_currencies(situation: Situation) -> None:
    for _, posted, ahead in steps(situation):
        for one in posted:
            touched = [ahead.state.accounts[account_id] for account_id in accounts_of(one) if account_id is not None]
            assert {(it.ledger_id, it.currency) for it in touched} == {(one.ledger_id, one.currency)}


def fixed(account: Account) -> tuple[object, ...]:
    return account.ledger_id, account.id, account.currency, account.scale


@thorough
@given(situations)
def test_a_closed_account_is_empty_and_nothing_happens_to_it_and_a_frozen_one_keeps_its_balance(
    situation: Situation,
) -> None:
    for book, posted, ahead in steps(situation):
        for account in book.state.accounts.values():
            now = ahead.state.accounts[account.id]
            assert fixed(now) == fixed(account)
            if account.status == "closed":
                assert now == account
                assert not account.balance
                assert not account.held
            if account.status == "frozen" and posted:
                assert now.balance == account.balance
                assert now.held <= account.held
