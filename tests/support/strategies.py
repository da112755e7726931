"""Random books and commands, with few accounts, keys and amounts, so that they get in each other's way.

Drawn from menus made beforehand: one draw a book, two a command.
"""

from decimal import Decimal
from random import Random

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from msgspec import UNSET
from msgspec.structs import replace

from koshel.core.book import after
from koshel.core.decide import decide
from koshel.core.model import Account, Book, Command, Kind, Move, OpenAccount
from tests.support.wallets import account, book

IDS = (1, 2, 3)
MISSING = 999_999
NINES = "9" * 18
AMOUNTS = ("1", "1", "1", "2.5", "2.5", "3", "4", "1.234", "1.235", "0.5", "0.0004", "1e-18", "5e-19", "40", NINES)

# Balance, held, floor, ceiling: each keeps its own rules in every currency.
MONEY: tuple[tuple[str, str, str, str | None], ...] = (
    ("10", "0", "0", "999999"),
    ("10", "8", "0", "12"),
    ("100", "0", "0", None),
    ("3", "1", "-2", "5"),
    ("-3", "0", "-5", None),
    ("0", "3", "-10", "0"),
    ("4", "3", "0", "6"),
    (NINES, "0", "0", None),
)
# Currency and ledger of the three accounts: mostly the same.
HOMES = [
    *[(("USD", 1), ("USD", 1), ("USD", 1))] * 3,
    *[(("WEI", 1), ("WEI", 1), ("WEI", 1))] * 2,
    (("JPY", 1), ("JPY", 1), ("JPY", 2)),
    *[(("KWD", 1), ("KWD", 1), ("USD", 1))] * 2,
    (("USD", 2), ("USD", 2), ("USD", 1)),
]

_across = [(source, target) for source in IDS for target in IDS if source != target]
_ends = [(None, one) for one in IDS] + [(one, None) for one in IDS]
_odd = [(1, 1), (2, 2), (3, 3), (MISSING, 1), (2, MISSING), (None, MISSING), (MISSING, None), (MISSING, MISSING)]
SIDES: list[tuple[int | None, int | None]] = [*_across * 4, *_ends * 4, *_odd]


def _move(ledger_id: int, sides: tuple[int | None, int | None], amount: str) -> Move:
    source, target = sides
    kind = Kind.PAYMENT if source is None else Kind.WITHDRAWAL if target is None else Kind.TRANSFER
    return Move(ledger_id, kind, source, target, Decimal(amount))


OPENINGS: list[Command] = [
    OpenAccount(ledger_id, email, currency, Decimal(floor), ceiling, default_max_balance=Decimal("999999.99"))
    for ledger_id, email in ((1, "a@example.com"), (1, "b@example.com"), (2, "a@example.com"))
    for currency in (UNSET, "USD", "JPY", "WEI", "SEASHELL")
    for floor, ceiling in (("0", UNSET), ("-2.5", Decimal("10.005")), ("0", None))
]
# Key and metadata.
LABELS = [*[(key, {}) for key in (None, None, None, None, "k", "k", "l", "m")], ("k", {"order": "1"})]

_moves = st.builds(_move, st.sampled_from((1, 1, 1, 1, 1, 2)), st.sampled_from(SIDES), st.sampled_from(AMOUNTS))
_openings = st.sampled_from(OPENINGS)
# Not one_of: it would take the repetition for one.
_commands = st.sampled_from("mmmmo").flatmap(lambda which: _openings if which == "o" else _moves)


@st.composite
def requests(draw: DrawFn, size_max: int = 12) -> list[Command]:
    """Commands drawn again and again from a few: a request comes back, under the same key and under others."""
    few = st.sampled_from(draw(st.lists(_commands, min_size=1, max_size=5)))
    asked = draw(st.lists(st.tuples(few, st.sampled_from(LABELS)), min_size=2, max_size=size_max))
    return [replace(command, key=key, metadata=metadata) for command, (key, metadata) in asked]


def _book(dice: Random) -> Book:
    """Three accounts; in every other book a few keys have been answered already."""
    fresh = book(*[_account(dice, *numbered) for numbered in zip(IDS, dice.choice(HOMES), strict=True)])
    keys = dice.choice(("", "", "k", "lm"))
    earlier = [replace(_move(1, dice.choice(SIDES), dice.choice(AMOUNTS)), key=key) for key in keys]
    return after(fresh, decide(fresh, earlier))


def _account(dice: Random, account_id: int, home: tuple[str, int]) -> Account:
    currency, ledger_id = home
    balance, held, floor, ceiling = dice.choice(MONEY)
    one = account(account_id, balance, currency, held=held, floor=floor, ceiling=ceiling, ledger_id=ledger_id)
    return replace(one, version=dice.choice((0, 7)))


BOOKS = [_book(Random(seed)) for seed in range(200)]

situations = st.tuples(st.sampled_from(BOOKS), requests())
