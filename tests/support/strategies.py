"""Random books and commands, with few accounts, transactions, keys and amounts, so that they get in each other's way.

All is made of one number, so that Hypothesis, which likes to repeat itself, draws something else each time. A smaller
number asks for fewer commands: that is how it is shrunk.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any, TypeAlias

from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from koshel.core.commands import (
    UNRESOLVED,
    AutoCapture,
    ChangeAccount,
    Command,
    Due,
    Enqueue,
    EnsureAccount,
    Execute,
    Expire,
    Group,
    Hold,
    OpenAccount,
    Opening,
)
from koshel.core.ending import EndSplit
from koshel.core.exchanging import Exchange
from koshel.core.model import Book
from koshel.core.notes import Annotate
from tests.support.account_changes import CHANGES
from tests.support.drawn_splits import drawn_end, drawn_split
from tests.support.exchanges import ACCOUNTS, any_exchange
from tests.support.histories import (
    ACROSS,
    BOOKS,
    ENDS,
    FOLLOWING,
    HOLDS,
    IDS,
    MOVES,
    NINES,
    PAST,
    QUEUED_IDS,
    REFUSED_ID,
)
from tests.support.limited import LIMITED
from tests.support.noted import annotation
from tests.support.resolving import NAMES, resolved_in
from tests.support.wallets import (
    DAY,
    NOW,
    SidedT,
    auto_capture,
    capture,
    enqueue,
    expire,
    group,
    hold,
    move,
    payment,
    refund,
    void,
)

__all__ = ["IDS", "requests", "situations"]
MISSING = 999_999
AMOUNTS = (*["1"] * 6, "2.5", "2.5", "3", "4", "1.234", "1.235", "0.5", "0.0004", "1e-18", "5e-19", "40", NINES)
SMALL = (None, None, "1", "1", "0.5", "2.5", "1.235", "0.0004", "40")  # None: all of it

_odd = [(1, 1), (2, 2), (3, 3), (MISSING, 1), (2, MISSING), (None, MISSING), (MISSING, None), (MISSING, MISSING)]
SIDES: list[tuple[int | None, int | None]] = [*ACROSS * 7, *ENDS * 7, *_odd]
SEEDS = 100_000
TIMES: list[Any] = [*(NOW + timedelta(seconds=s) for s in (-60, 30, 90, DAY + 90, 20 * DAY)), UNSET, UNSET]
LEDGERS = (*[1] * 11, 2)
REFERENCES = (*PAST, *PAST, *QUEUED_IDS, REFUSED_ID, MISSING)
OPENINGS: list[Command] = [
    LIMITED,
    *[
        OpenAccount(ledger_id, email, currency, Decimal(floor), ceiling, default_max_balance=Decimal("999999.99"))
        for ledger_id, email in ((1, "a@example.com"), (1, "b@example.com"), (2, "a@example.com"))
        for currency in (UNSET, "USD", "JPY", "WEI", "SEASHELL")
        for floor, ceiling in (("0", UNSET), ("-2.5", Decimal("10.005")), ("0", None))
    ],
]
ENSURED: list[dict[str, Any]] = [{}, {"min_balance": Decimal("-2.5")}, {"max_balance": None}, {"metadata": {}}]
NAMED_OPENINGS: list[Command] = [
    *[OpenAccount(1, "a@example.com", name=name) for name in ("users:1", "users:new", "users:new")],
    *[EnsureAccount(1, "users:1", "1@example.com", currency) for currency in (UNSET, "USD", "SEASHELL")],
    *[EnsureAccount(1, "users:new", f"{letter}@example.com", **more) for letter in "ab" for more in ENSURED],
]
Label: TypeAlias = tuple[str | None, dict[str, Any]]  # a key, and what is said besides
LABELS: list[Label] = [
    *[(None, {})] * 14,
    *[(key, {}) for key in ("k", "k", "l", "m")],
    ("k", {"metadata": {"order": "1"}}),
    *[(key, {"reference": "order 7"}) for key in (None, "k")],
    (None, {"reference": "order 8", "description": "lunch", "effective_on": date(2026, 2, 28)}),
]


def _hold(dice: Random) -> Hold:
    source, target = dice.choice(SIDES)
    return hold(
        source or 1,
        target,
        dice.choice(AMOUNTS),
        seconds=dice.choice((UNSET, UNSET, 0, 60)),
        capture_at=dice.choice(TIMES),
        ledger_id=dice.choice(LEDGERS),
    )


def _by_names(dice: Random, command: SidedT) -> SidedT:
    """Now and then the command asks for its accounts by their names."""
    if dice.random() < 0.7:
        return command
    given: Any = {side: dice.choice(NAMES) for side in ("source", "target") if getattr(command, f"{side}_account_id")}
    return replace(command, **given, **{f"{side}_account_id": UNRESOLVED for side in given})


def _follow_up(dice: Random, letter: str, references: Sequence[int]) -> Command:
    if references is REFERENCES and dice.random() < 0.7:  # what is meant for it
        references = PAST if letter == "n" else (*MOVES, *MOVES, *FOLLOWING) if letter == "r" else HOLDS
    id_, amount, ledger_id = dice.choice(references), dice.choice(SMALL), dice.choice(LEDGERS)
    match letter:
        case "c":
            return capture(id_, amount, final=dice.random() < 0.5, ledger_id=ledger_id)
        case "v":
            return void(id_, ledger_id=ledger_id)
        case "x" | "y":
            return (expire if letter == "x" else auto_capture)(id_, ledger_id=ledger_id)
        case "n":
            return annotation(dice, id_, ledger_id)
        case _:
            return refund(id_, amount, ledger_id=ledger_id)


def _command(dice: Random, letter: str, references: Sequence[int]) -> Command:
    """One of those that the letter stands for in `requests`."""
    match letter:
        case "m":
            return _by_names(dice, move(dice.choice(LEDGERS), dice.choice(SIDES), dice.choice(AMOUNTS)))
        case "o":
            return dice.choice(OPENINGS if dice.random() < 0.5 else NAMED_OPENINGS)
        case "a":
            return ChangeAccount(dice.choice(LEDGERS), dice.choice((*IDS, MISSING)), **dice.choice(CHANGES))
        case "f":
            return _by_names(dice, any_exchange(dice, dice.choice(SIDES), AMOUNTS, dice.choice(LEDGERS)))
        case "h":
            return _by_names(dice, _hold(dice))
        case "s":
            return drawn_split(dice, (*IDS, *IDS, *IDS, MISSING), AMOUNTS, NAMES)
        case "t":
            return drawn_end(dice, (*HOLDS, MISSING), TIMES)
        case "e" | "q":
            request = _of_main(_command(dice, dice.choice("mmhscvrff"), references))  # as all queued
            return enqueue(request, dice.choice(TIMES)) if letter == "e" else Execute(1, 0, request)
        case _:
            return _follow_up(dice, letter, references)


def _of_main(command: Any) -> Any:
    moved = replace(command, ledger_id=1)  # as all that is within another command of this ledger
    return replace(moved, exchange_accounts=ACCOUNTS) if isinstance(moved, Exchange) else moved


def _labelled(command: Any, label: Label) -> Any:
    key, said = label
    match command:
        case AutoCapture() | Expire() | Execute() | EnsureAccount():
            return command
        case Group() if any(isinstance(member, Due | Execute) for member in command.members):
            return command  # nobody asked for it
        case ChangeAccount() | Group() | Annotate():
            return replace(command, key=key)
        case Enqueue():
            return replace(command, key=key, command=_labelled(command.command, label))
        case _:
            own = {name: value for name, value in said.items() if name in command.__struct_fields__}
            return replace(command, key=key, **own)


def _numbered(command: Command, ids: "count[int]") -> Command:
    """With the ids of queued transactions in their order, each executed once."""
    match command:
        case Group():
            return replace(command, members=tuple(_numbered(member, ids) for member in command.members))
        case Execute():
            return replace(command, id=next(ids))
        case _:
            return command


def _pool(dice: Random, letters: str, references: tuple[int, ...]) -> list[Command]:
    """A few commands, each under two labels."""
    singles = [_command(dice, dice.choice(letters.replace("g", "")), references) for _ in range(dice.randint(1, 5))]
    if any(isinstance(one, Execute) for one in singles) and dice.random() < 0.5:
        singles += [_follow_up(dice, letter, QUEUED_IDS[:1]) for letter in "crn"]
    groups = [_group(dice, singles) for _ in range(dice.randint(0, 2))] if "g" in letters else []
    return [_labelled(command, dice.choice(LABELS)) for command in singles + groups for _ in range(2)]


def _group(dice: Random, few: Sequence[Command]) -> Command:
    """Some of those that can be in a group, and a payment; what is executed is always answered one by one."""
    excluded = Opening | ChangeAccount | Annotate | Enqueue | EndSplit
    able: list[Any] = [_of_main(one) for one in few if not isinstance(one, excluded)]
    members = [dice.choice([*able, payment(1, "1")]) for _ in range(dice.randint(1, 4))]
    atomic = dice.random() < 0.6 and not any(isinstance(one, Execute) for one in members)
    return group(*[_labelled(one, dice.choice(LABELS)) for one in members], atomic=atomic)


def _requests(number: int, letters: str, references: tuple[int, ...]) -> list[Command]:
    """As many commands as the number has SEEDS."""
    dice, ids = Random(number), count(QUEUED_IDS[0])
    pool = _pool(dice, letters, references)
    return [_numbered(dice.choice(pool), ids) for _ in range(number // SEEDS)]


def numbers(size_max: int) -> st.SearchStrategy[int]:
    return st.integers(2 * SEEDS, (size_max + 1) * SEEDS - 1)


def requests(
    letters: str = "mmmmo", references: tuple[int, ...] = REFERENCES, size_max: int = 12
) -> st.SearchStrategy[list[Command]]:
    """Commands drawn again and again from a few: a request comes back, under the same key and under others.

    The letters, often if they are there often: m, moves; o, openings; a, changes of accounts; h, holds; c, captures;
    v, voids; x, expiries; y, captures by the background; r, refunds; n, changes of notes; s, splits; t, their ends;
    f, exchanges; e, enqueues; q, what is executed; g, groups of the others.
    """
    return numbers(size_max).map(lambda number: _requests(number, letters, references))


def _situation(number: int) -> tuple[Book, list[Command]]:
    book = BOOKS[number % len(BOOKS)]
    currencies = {one.currency for one in book.state.accounts.values() if one.ledger_id == 1}
    more = "fffffgggggqqq" if len(currencies) > 1 else ""  # where there is something to exchange
    asked = _requests(number, f"mmmooaaahhhsssttcccvvxyrrrnnneqqqqqgggff{more}", REFERENCES)
    return book, [resolved_in(book, one) for one in asked]


situations = numbers(12).map(_situation)
