"""Random books with a past: three accounts, and transactions that can be referred to.

A transaction's id is its place in the book's history; what has failed there is not to be found.
"""

from datetime import timedelta
from random import Random

from msgspec import UNSET
from msgspec.structs import replace

from koshel.core.commands import ChangeAccount, Command, Kind, Status
from koshel.core.model import Account, Book
from koshel.core.originals import Pending
from tests.support.limited import limit, limiting
from tests.support.looks import at
from tests.support.wallets import NOW, account, book, capture, expire, group, hold, kept, move, refund, void

IDS = (1, 2, 3)
NINES = "9" * 18

# Balance, floor, ceiling: each keeps its own rules in every currency.
MONEY: tuple[tuple[str, str, str | None], ...] = (
    *[("10", "0", "999999"), ("100", "0", None)] * 6,
    ("10", "0", "12"),
    ("3", "-2", "5"),
    ("-3", "-5", None),
    ("0", "-10", "0"),
    ("4", "0", "6"),
    ("0", "0", "999999"),
    (NINES, "0", None),
)
# Currency and ledger of the three accounts: mostly the same.
HOMES = [
    *[(("USD", 1), ("USD", 1), ("USD", 1))] * 9,
    *[(("WEI", 1), ("WEI", 1), ("WEI", 1))] * 2,
    (("JPY", 1), ("JPY", 1), ("JPY", 2)),
    *[(("KWD", 1), ("KWD", 1), ("USD", 1))] * 2,
    (("USD", 2), ("USD", 2), ("USD", 1)),
    *[(("USD", 1), ("KWD", 1), ("JPY", 1))] * 2,
]

ACROSS: list[tuple[int | None, int | None]] = [(source, target) for source in IDS for target in IDS if source != target]
ENDS: list[tuple[int | None, int | None]] = [(None, one) for one in IDS] + [(one, None) for one in IDS]

PAST = range(101, 117)  # ids of what is on the books already, or was tried
MOVES, HOLDS, FOLLOWING = PAST[:4], PAST[4:9], PAST[9:]
REFUSED_ID = 150  # of what was queued, and declined
QUEUED_IDS = range(201, 204)  # of what is queued; executed in this order
NEVER = 10**9  # the first of the ids that nothing refers to


def _book(dice: Random) -> Book:
    """Three accounts with a past; in every other book a few keys have been answered already."""
    fresh = book(*[_account(dice, *numbered) for numbered in zip(IDS, dice.choice(HOMES), strict=True)])
    past = [_past(dice, place) for place in range(len(PAST))]
    settled = at(NOW + timedelta(seconds=60), kept(fresh, *past))
    keys = dice.choice(("", "", "k", "lm"))
    later: list[Command] = [
        replace(move(1, dice.choice(ACROSS + ENDS), dice.choice(("1", "2.5", "40"))), key=key) for key in keys
    ]
    later += [expire(id_) for id_ in PAST if dice.random() < 0.15]
    later += [command for one in IDS if dice.random() < 0.15 for command in _shut(dice, settled.state.accounts[one])]
    later += [limiting(one, limit("1d", "3", "4")) for one in IDS if dice.random() < 0.2]
    later += [move(1, dice.choice(ACROSS), "1") for _ in range(2)]
    settled = kept(settled, *later, first_id=NEVER)
    kind = dice.choice((Kind.HOLD, Kind.TRANSFER))
    waiting = dict.fromkeys(range(QUEUED_IDS[0], QUEUED_IDS[0] + 100), Pending(1, kind, "queued"))
    settled.state.pending = waiting | {REFUSED_ID: Pending(1, kind, "declined")}
    return settled


def _shut(dice: Random, one: Account) -> list[Command]:
    """The account frozen, or emptied and closed if nothing of it is held."""
    if one.held or dice.random() < 0.4:
        return [ChangeAccount(1, one.id, status=Status.FROZEN)]
    sides = (one.id, None) if one.balance > 0 else (None, one.id)
    return [move(1, sides, str(abs(one.balance))), ChangeAccount(1, one.id, status=Status.CLOSED)]


def _past(dice: Random, place: int) -> Command:
    """First some money that moves, then holds, some of them over by now, then what follows them."""
    amount = dice.choice(("1", "1", "2"))
    if place < len(MOVES):
        return move(1, dice.choice(ACROSS + ENDS), amount)
    if place < len(MOVES) + len(HOLDS):
        return hold(dice.choice(IDS[:2]), dice.choice((None, 3)), amount, seconds=dice.choice((0, 60, UNSET, UNSET)))
    match dice.choice("cvrrmm"):
        case "c":
            return capture(dice.choice(HOLDS), dice.choice((None, "1", "0.5")), final=dice.random() < 0.5)
        case "v":
            return void(dice.choice(HOLDS))
        case "r":
            return refund(dice.choice((*MOVES, *MOVES, FOLLOWING[0])), dice.choice((None, "1", "0.5")))
        case _:
            return group(move(1, dice.choice(ACROSS), amount), atomic=True)


def _account(dice: Random, account_id: int, home: tuple[str, int]) -> Account:
    currency, ledger_id = home
    balance, floor, ceiling = dice.choice(MONEY)
    name = f"users:{account_id}"
    one = account(account_id, balance, currency, floor=floor, ceiling=ceiling, ledger_id=ledger_id, name=name)
    return replace(one, version=dice.choice((0, 7)))


BOOKS = [_book(Random(seed)) for seed in range(300)]
