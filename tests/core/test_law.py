"""What holds for every book and every sequence of commands."""

import copy
from collections import Counter, defaultdict
from decimal import Decimal

from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from koshel.core.book import after, available, limit
from koshel.core.decide import decide
from koshel.core.model import Book, Command, Declined, Kind, Opened, Outcome, Posted, Refusal, Replayed
from koshel.core.money import minus, plus
from tests.support.strategies import situations

Situation = tuple[Book, list[Command]]

thorough = settings(max_examples=150, deadline=None, derandomize=True)


def name(outcome: Outcome) -> str:
    """What kind of outcome it is, finely enough to see that each occurs."""
    match outcome:
        case Posted():
            return outcome.kind
        case Declined():
            return outcome.refusal
        case Opened():
            return "opened"
        case Replayed():
            return f"replayed {type(outcome.first).__name__}"


def text(outcomes: list[Outcome]) -> list[str]:
    """Exactly: 1.0 and 1.00 are equal, but not the same text."""
    return [repr(outcome) for outcome in outcomes]


@thorough
@given(situations, st.data())
def test_where_one_batch_ends_and_the_next_begins_never_changes_an_answer(
    situation: Situation, data: DataObject
) -> None:
    book, commands = situation
    cut = data.draw(st.integers(0, len(commands)))
    whole = decide(book, commands)
    first = decide(book, commands[:cut])
    second = decide(after(book, first), commands[cut:])
    assert whole == first + second
    assert text(whole) == text(first + second)
    assert after(book, whole) == after(after(book, first), second)
    for outcome in whole:
        event(name(outcome))


@thorough
@given(situations)
def test_a_batch_answers_as_if_each_command_came_alone(situation: Situation) -> None:
    book, commands = situation
    alone: list[Outcome] = []
    ahead = book
    for command in commands:
        outcomes = decide(ahead, [command])
        ahead = after(ahead, outcomes)
        alone += outcomes
    assert text(decide(book, commands)) == text(alone)


def totals(book: Book) -> dict[tuple[int, str], Decimal]:
    """Sum of balances per ledger and currency."""
    sums: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
    for account in book.accounts.values():
        sums[account.ledger_id, account.currency] = plus(sums[account.ledger_id, account.currency], account.balance)
    return sums


@thorough
@given(situations)
def test_money_comes_by_payments_and_goes_by_withdrawals_and_in_no_other_way(situation: Situation) -> None:
    book, commands = situation
    outcomes = decide(book, commands)
    expected = totals(book)
    for outcome in outcomes:
        if isinstance(outcome, Posted) and outcome.kind is not Kind.TRANSFER:
            add = plus if outcome.kind is Kind.PAYMENT else minus
            where = outcome.ledger_id, outcome.currency
            expected[where] = add(expected[where], outcome.amount)
    assert totals(after(book, outcomes)) == expected


@settings(thorough, max_examples=300)
@given(situations)
def test_no_floor_and_no_ceiling_is_ever_crossed(situation: Situation) -> None:
    book, commands = situation
    for outcome in decide(book, commands):
        book = after(book, [outcome])
        for account in book.accounts.values():
            assert available(account) >= 0
            assert account.balance <= limit(account) < 10**18


@thorough
@given(situations)
def test_an_accounts_history_proves_itself(situation: Situation) -> None:
    book, commands = situation
    last = {one.id: (one.version, one.balance) for one in book.accounts.values()}
    for posted in decide(book, commands):
        if not isinstance(posted, Posted):
            continue
        for account_id, version, balance, move in (
            (posted.source_account_id, posted.source_version, posted.source_balance, minus),
            (posted.target_account_id, posted.target_version, posted.target_balance, plus),
        ):
            if account_id is not None:
                told_version, told_balance = last[account_id]
                assert (version, balance) == (told_version + 1, move(told_balance, posted.amount))
                last[account_id] = told_version + 1, move(told_balance, posted.amount)
    ahead = after(book, decide(book, commands))
    assert last == {one.id: (one.version, one.balance) for one in ahead.accounts.values()}


@thorough
@given(situations)
def test_money_has_exactly_the_decimals_of_its_currency(situation: Situation) -> None:
    book, commands = situation
    for outcome in decide(book, commands):
        if isinstance(outcome, Posted):
            exponent = -book.scales[outcome.currency]
            for money in (outcome.amount, outcome.source_balance, outcome.target_balance):
                assert money is None or money.as_tuple().exponent == exponent


@thorough
@given(situations)
def test_money_never_crosses_ledgers_or_currencies(situation: Situation) -> None:
    book, commands = situation
    for outcome in decide(book, commands):
        if isinstance(outcome, Posted):
            sides = {outcome.source_account_id, outcome.target_account_id} - {None}
            touched = [book.accounts[account_id] for account_id in sides if account_id is not None]
            assert {(one.ledger_id, one.currency) for one in touched} == {(outcome.ledger_id, outcome.currency)}


@thorough
@given(situations)
def test_a_refused_or_repeated_command_changes_nothing(situation: Situation) -> None:
    book, commands = situation
    outcomes = decide(book, commands)
    for command, outcome in zip(commands, outcomes, strict=True):
        ahead = after(book, [outcome])
        if not isinstance(outcome, Posted):
            assert ahead.accounts == book.accounts
        if isinstance(outcome, Replayed) or command.key is None:
            assert ahead.receipts == book.receipts
        book = ahead


@thorough
@given(situations)
def test_a_refused_command_without_a_key_might_as_well_not_have_been_sent(situation: Situation) -> None:
    book, commands = situation
    pairs = list(zip(commands, decide(book, commands), strict=True))
    kept = [(c, o) for c, o in pairs if not (isinstance(o, Declined) and c.key is None)]
    assert decide(book, [command for command, _ in kept]) == [outcome for _, outcome in kept]


@thorough
@given(situations)
def test_a_key_keeps_its_first_answer_and_has_one_effect(situation: Situation) -> None:
    book, commands = situation
    for command, outcome in zip(commands, decide(book, commands), strict=True):
        answered = command.key is not None and (command.ledger_id, command.key) in book.receipts
        assert not (answered and isinstance(outcome, Posted | Opened))
        ahead = after(book, [outcome])
        assert ahead.receipts.items() >= book.receipts.items()
        assert (command.key is None) or (command.ledger_id, command.key) in ahead.receipts
        book = ahead


@thorough
@given(situations)
def test_deciding_changes_neither_the_book_nor_the_commands(situation: Situation) -> None:
    before = copy.deepcopy(situation)
    decide(*situation)
    assert situation == before
    assert decide(*situation) == decide(*before)


def test_the_situations_above_lead_to_every_outcome() -> None:
    seen: Counter[str] = Counter()

    @settings(thorough, max_examples=300)
    @given(situations)
    def observe(situation: Situation) -> None:
        seen.update(set(map(name, decide(*situation))))

    observe()
    replays = {f"replayed {kind.__name__}" for kind in (Posted, Opened, Declined)}
    for outcome in (*Kind, *Refusal, "opened", *replays):
        assert seen[outcome] >= 5, f"{outcome} is too rare: {seen}"
