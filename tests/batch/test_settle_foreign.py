"""Who names what another ledger has locks nothing there, waits for nothing there, and hears what an unknown id gets."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

import psycopg
import pytest
from msgspec import Struct

from koshel.core.apart import Line, Lines
from koshel.core.commands import ChangeAccount, Command, Status
from koshel.core.model import Outcome, Posted
from koshel.core.notes import Annotate
from koshel.db.settling.strangers import Patience
from koshel.db.store import Store
from koshel.settle import settle
from koshel.settle_free import settle_free
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.exchanges import exchange
from tests.support.settled import open_accounts, opening, timeless
from tests.support.split_legs import of, split, to
from tests.support.wallets import capture, enqueue, group, hold, payment, refund, transfer, void, withdrawal

pytestmark = pytest.mark.alone

THEIRS = 2  # a ledger
AT_ONCE_S = 1.0  # less than any lock is waited for


class Ids(Struct, frozen=True):
    """What a command names: an account of our own, and of somebody's an account and transactions."""

    own: int
    account: int
    hold: int
    paid: int


def missing(own: int) -> Ids:
    return Ids(own, 999_991, 999_992, 999_993)


KINDS: dict[str, Callable[[Ids], Command]] = {
    "a payment's target": lambda ids: payment(ids.account, "1"),
    "a withdrawal's source": lambda ids: withdrawal(ids.account, "1"),
    "a transfer's source": lambda ids: transfer(ids.account, ids.own, "1"),
    "a transfer's target": lambda ids: transfer(ids.own, ids.account, "1"),
    "a hold's source": lambda ids: hold(ids.account, None, "1"),
    "a hold's target": lambda ids: hold(ids.own, ids.account, "1"),
    "the hold of a capture": lambda ids: capture(ids.hold),
    "the hold of a void": lambda ids: void(ids.hold),
    "the original of a refund": lambda ids: refund(ids.paid, "1"),
    "a leg's target": lambda ids: split("1", source=ids.own, targets=[to(ids.account)]),
    "a leg's source": lambda ids: split("1", sources=[of(ids.account, remaining=True)], target=ids.own),
    "an exchange's source": lambda ids: exchange(ids.account, ids.own, "1", "1", accounts=()),
    "an exchange's target": lambda ids: exchange(ids.own, ids.account, "1", "1", accounts=()),
    "an account that is changed": lambda ids: ChangeAccount(1, ids.account, status=Status.FROZEN),
    "a transaction that is annotated": lambda ids: Annotate(1, ids.paid, description="mine"),
    "a member of a group": lambda ids: group(transfer(ids.own, ids.account, "1"), capture(ids.hold)),
    "members on their own": lambda ids: group(payment(ids.account, "1"), refund(ids.paid), atomic=False),
    "what is queued": lambda ids: enqueue(transfer(ids.own, ids.account, "1")),
    "a refund that is queued": lambda ids: enqueue(refund(ids.paid)),
}
Way: TypeAlias = Callable[[Store, Sequence[Command]], Awaitable[Sequence[Outcome | Lines]]]


async def patiently(patience: Patience, store: Store, commands: Sequence[Command]) -> Sequence[Outcome | Lines]:
    return await settle_free(store.waiting(), commands, patience=patience)


WAYS: dict[str, Way] = {
    "all together": lambda store, commands: settle(store.waiting(), commands),
    "what is free": settle_free,
    "what is free of strangers": partial(patiently, Patience.BATCHES),
    "what is free after a wait in vain": partial(patiently, Patience.SPENT),
    "what is free after a wait": partial(patiently, Patience.FIRST),
}


@contextmanager
def locked(database: Database, *ids: int) -> Iterator[None]:
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("SELECT FROM account WHERE id = ANY(%s) FOR UPDATE", [list(ids)])
        yield


@pytest.fixture(autouse=True)
def _long_ids(books: Database) -> None:
    """So that an id is nothing else in an answer."""
    execute(
        books.owner_url, "ALTER SEQUENCE account_id RESTART 1000101", "ALTER SEQUENCE transaction_id RESTART 2000201"
    )


async def theirs(store: Store, own: int) -> tuple[Ids, int]:
    """What the other ledger has, and an account there that nobody locks."""
    ann, bob = await open_accounts(store, opening(ledger_id=THEIRS), opening(ledger_id=THEIRS))
    paid, held = await settle(store, [payment(ann, "9", ledger_id=THEIRS), hold(ann, None, "1", ledger_id=THEIRS)])
    assert isinstance(paid, Posted)
    assert isinstance(held, Posted)
    return Ids(own, ann, held.id, paid.id), bob


def plainly(outcome: Any, ids: Ids) -> str:
    """What it says, but for the ids that were asked for."""
    text = repr(timeless(outcome))
    for name in ("account", "hold", "paid"):
        text = text.replace(str(getattr(ids, name)), name)
    return text


@pytest.mark.parametrize("way", WAYS)
async def test_a_foreign_id_is_answered_at_once_though_its_row_is_locked_and_as_an_unknown_one(
    store: Store, database: Database, way: str
) -> None:
    """In one batch with a command of the ledger that has the row, as those of all ledgers come together."""
    [own] = await open_accounts(store, opening(floor="-1000"))
    ids, free = await theirs(store, own)
    unknown = missing(own)
    for kind, command in KINDS.items():
        with locked(database, ids.account):
            async with asyncio.timeout(AT_ONCE_S):
                beside, *found = await WAYS[way](
                    store, [payment(free, "1", ledger_id=THEIRS), command(ids), command(unknown)]
                )
        assert isinstance(beside, Posted), kind
        assert plainly(found[0], ids) == plainly(found[1], unknown), kind


@pytest.mark.parametrize("kind", KINDS)
async def test_a_foreign_id_is_not_put_off_with_the_commands_of_the_ledger_that_has_it(
    store: Store, database: Database, kind: str
) -> None:
    """Those wait, in a lane of their own; and what is taken by such a lane stops nobody else."""
    [own] = await open_accounts(store, opening(floor="-1000"))
    ids, _ = await theirs(store, own)
    command, waits = KINDS[kind](ids), payment(ids.account, "1", ledger_id=THEIRS)
    with locked(database, ids.account):
        lane = frozenset[Line]({(THEIRS, ids.account), (THEIRS, ids.hold, "transaction")})
        for taken in (frozenset[Line](), lane):
            async with asyncio.timeout(AT_ONCE_S):
                first, found, last = await settle_free(store, [waits, command, waits], taken)
            assert isinstance(first, frozenset)
            assert isinstance(last, frozenset)
            assert not isinstance(found, frozenset)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_foreign_id_locks_nothing(store: Store, database: Database, kind: str) -> None:
    [own] = await open_accounts(store, opening(floor="-1000"))
    ids, free = await theirs(store, own)
    commands = [payment(free, "1", ledger_id=THEIRS), KINDS[kind](ids)]
    for free_only in (False, True):
        async with store.batch() as batch:
            resolved = await batch.resolve(commands)
            if free_only:
                await batch.lock_free(resolved, frozenset(), Patience.NONE, None)
            else:
                await batch.lock(resolved)
            with psycopg.connect(database.owner_url) as other:
                other.execute("SELECT FROM account WHERE id = %s FOR UPDATE NOWAIT", [ids.account])
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    other.execute("SELECT FROM account WHERE id = %s FOR UPDATE NOWAIT", [free])


async def test_who_asks_for_an_account_in_its_own_ledger_has_it_whatever_others_ask_for(store: Store) -> None:
    """The same id twice in a batch, once where there is no such account."""
    [own] = await open_accounts(store, opening())
    ids, _ = await theirs(store, own)
    mine, foreign, theirs_own = (
        payment(own, "2"),
        payment(ids.account, "1"),
        payment(ids.account, "3", ledger_id=THEIRS),
    )
    for commands in ([mine, foreign, theirs_own], [theirs_own, foreign, mine]):
        for way in WAYS.values():
            outcomes = await way(store, commands)
            kinds = [type(one) is Posted for one in outcomes]
            assert kinds == [one is not foreign for one in commands]
