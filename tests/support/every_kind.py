"""Books with every kind of transaction and of answer: what `bookkeeping` has, and all the rest.

account 7 (USD, opened with a key, all of it said) and 8 (USD, without) have more of everything; 9 was never used; 10 is
in GOLD, which was registered; 11 is in another ledger; 12 and 13 are exchange accounts.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial

from msgspec.structs import replace

from koshel.core.commands import UNRESOLVED, ChangeAccount, Command, Member, OpenAccount, Request, Status
from koshel.core.legs import SplitSource, SplitTarget
from koshel.core.model import Grouped, Queued
from koshel.core.notes import Annotate
from koshel.db import cancelling
from koshel.db.settling import currencies
from koshel.db.settling.claims import Claim, ClaimQueued
from koshel.db.store import Delay, Store
from koshel.settle import settle
from tests.support.bookkeeping import LEDGER, execute, keep_books
from tests.support.database import Database
from tests.support.every_end import keep_every_end
from tests.support.exchanges import exchange
from tests.support.limited import limit, limiting
from tests.support.split_legs import of, split, to
from tests.support.wallets import (
    by_names,
    capture,
    enqueue,
    group,
    hold,
    payment,
    postings,
    refund,
    transfer,
    void,
    withdrawal,
)

OTHER = 2  # ledger
CAPTURED = datetime(2026, 1, 1, tzinfo=UTC)  # nobody sweeps here
NAME = "users:every"  # of account 7
LIMITS = (limit("1d", "60000", None), limit("7d", "70000", "80000"))


def opening(key: str | None = None) -> OpenAccount:
    """All that an opening may say."""
    name = None if key is None else f"users:{key}"
    return OpenAccount(
        LEDGER, "eve@example.com", "USD", Decimal(-5), Decimal(5_000), {"of": "eve"}, key, name=name, limits=LIMITS
    )


def change(key: str | None = None) -> ChangeAccount:
    """All that a change may say, of account 7 or, without a key, of 8."""
    return ChangeAccount(
        LEDGER,
        7 if key else 8,
        email="eva@example.com",
        min_balance=Decimal(-6),
        max_balance=Decimal(6_000),
        status=Status.FROZEN if key else Status.OPEN,
        metadata={"of": "eva"},
        limits=LIMITS[1:],
        key=key,
    )


MORE: Sequence[Sequence[Command | Claim]] = [
    [
        opening("every"),
        opening(),
        replace(opening(), limits=()),
        OpenAccount(LEDGER, "g@example.com", "GOLD", max_balance=None),
    ],
    [OpenAccount(OTHER, "o@example.com", max_balance=None, key="other")],
    [payment(11, "5", ledger_id=OTHER, key="far"), payment(10, "1.234567")],
    [payment(7, "100", key="in", metadata={"note": "rent"}), payment(8, "100")],
    [withdrawal(8, "1", key="out"), transfer(7, 8, "2", metadata={"note": "lunch"})],
    [limiting(8, limit("1d", "9e5", "8e5"), limit("365d", None, "7e6"))],
    [withdrawal(8, "1"), payment(8, "2")],
    [withdrawal(7, "999999", key="refused"), group(transfer(7, 8, "999999"), key="refused group")],
    [
        by_names(payment(UNRESOLVED, "1", key="named"), None, NAME),
        by_names(payment(UNRESOLVED, "1", key="nobody"), None, "x"),
    ],
    [group(by_names(payment(UNRESOLVED, "2"), None, NAME), payment(8, "1"), key="named group")],
]
# Ids of the holds and what follows them are those that the sequence gives.
HOLDS: Sequence[Command] = [
    hold(7, 8, "10", key="h1", seconds=600),
    hold(7, None, "11", key="h2"),
    hold(7, 8, "12"),
    hold(7, 8, "13", key="h4"),
    hold(7, 8, "14"),
]
WAITING = (
    "UPDATE queued SET attempts = 2, error = 'deadlock' WHERE id = (SELECT max(id) FROM queued)",
    "INSERT INTO batch VALUES (1, gen_random_uuid(), NULL, 2)",
)


async def keep_every_kind(store: Store, database: Database) -> None:
    """All of it, on an empty database."""
    execute(database.owner_url, "INSERT INTO ledger (name) VALUES ('other')")
    currencies.add(database.owner_url, "GOLD", 6)
    await keep_books(store)
    for batch in MORE:
        await settle(store, batch)
    h1, h2, h3, h4, h5 = await _post(store, *HOLDS)
    (paid,) = await _post(store, payment(8, "40", key="to return"))
    await _post(store, capture(h1, "4", final=False, key="c1"), capture(h2, "5", key="c2"), void(h3))
    await _post(store, void(h4, key="v4"), refund(paid, "3", key="r"), refund(paid))
    await settle(store, [group(transfer(7, 8, "1"), hold(7, 8, "2", key="g2"), refund(paid, "1000"), atomic=False)])
    await settle(store, [group(transfer(7, 8, "1.5"), hold(7, 8, "2.5"), capture(h5, "1"), key="all")])
    await settle(
        store, [group(transfer(7, 8, "1", key="in"), payment(7, "1", key="to return"), key="odd", atomic=False)]
    )
    again: list[Member] = [payment(7, "100", key="in", metadata={"note": "rent"}), refund(paid, "9999")]
    await settle(store, [group(*again, key="some", atomic=False)])
    await _keep_labels(store)
    await _keep_exchanges(store)
    await _keep_notes(store, paid, h1, h2, h4)
    later: list[Request] = [
        hold(7, 8, "1", key="p1", seconds=60),
        transfer(7, 8, "1"),
        refund(10**6, key="p3"),
        capture(h1, key="p4"),
    ]
    await settle(store, [enqueue(one) for one in (*later, payment(7, "7", key="p5"), void(10**6))])
    await settle(store, [ClaimQueued(LEDGER, 10)])
    await keep_every_end(store, LEDGER)
    await _keep_splits(store)
    await settle(
        store, [enqueue(payment(7, "8", key="q1")), enqueue(hold(7, 8, "9", key="q2")), enqueue(payment(8, "3"))]
    )
    *_, h7 = await _post(store, hold(7, 8, "1", key="h6", capture_at=CAPTURED), hold(7, 8, "1", capture_at=CAPTURED))
    await _post(store, capture(h7, "0.25", final=False))
    ahead = datetime.now(UTC) + timedelta(days=1)
    waiting = [payment(7, "8", key="q3"), payment(8, "3"), payment(7, "8", key="x1"), payment(8, "3")]
    *_, third, fourth = await settle(store, [enqueue(one, ahead) for one in waiting])
    for one, request_id in ((third, "till-3"), (fourth, None)):
        assert isinstance(one, Queued)
        work = partial(cancelling.cancel, ledger_id=LEDGER, transaction_id=one.id, request_id=request_id)
        await store.transact([LEDGER], work)
    await store.postpone(LEDGER, 10**9, "nothing", Delay(1, 1))
    await settle(store, [change("changed"), change()])
    execute(database.owner_url, *WAITING)


async def _keep_labels(store: Store) -> None:
    """Transactions with all labels, with keys and without; and what follows, with their reference or another."""
    said, other = (
        {"reference": "order 7", "description": "lunch", "effective_on": date(2026, 2, 28)},
        {"reference": "x"},
    )
    one, two = await _post(store, *(replace(hold(8, 7, "3", key=key), **said) for key in ("l1", None)))
    _, taken = await _post(
        store, capture(one, "1", final=False, key="l2"), replace(capture(one, "1", key="l3"), **other)
    )
    paid, given = await _post(
        store, replace(transfer(8, 7, "1", key="l4"), **said), replace(transfer(8, 7, "1"), **said)
    )
    members = (void(two), replace(refund(paid, "0.5"), **said), replace(refund(given, "0.5"), **other))
    await settle(store, [group(*members, key="l5", atomic=False)])
    await settle(store, [enqueue(replace(transfer(8, 7, "1", key="l6"), **said)), enqueue(refund(taken, key="l7"))])
    await settle(store, [ClaimQueued(LEDGER, 10)])


async def _keep_exchanges(store: Store) -> None:
    """From dollars into yen and back: at rates and for amounts, in a group and in the background, by a name too."""
    said = {"reference": "order 9", "description": "trip", "effective_on": date(2026, 2, 28), "metadata": {"of": "e"}}
    there, back = exchange(8, 3, "1.5", rate="151.0"), exchange(3, 8, "100", "0.61")
    for one in (there, back, replace(there, key="e1", **said), replace(back, key="e2")):
        (made,) = await settle(store, [one])
        assert isinstance(made, Grouped), made
    named = replace(back, target_account_id=UNRESOLVED, target=NAME, key="e3")
    (made,) = await settle(store, [named])
    assert isinstance(made, Grouped), made
    again = replace(there, key="e1", **said)
    await settle(store, [group(transfer(7, 8, "1"), back, key="e4"), group(again, key="e8", atomic=False)])
    later = [replace(again, key="e5"), replace(named, key="e6"), exchange(8, 3, "9999", rate="1", key="e7")]
    await settle(store, [enqueue(replace(one, exchange_accounts=())) for one in later])
    await settle(store, [ClaimQueued(LEDGER, 10)])


async def _keep_splits(store: Store) -> None:
    """With keys and without, as holds, as a member, in the background; and one that was refused."""
    shares = [to(8, "1/3"), to(8, "0.50"), to(8)]
    splits: list[Request] = [
        split("1", source=7, targets=shares, key="s1"),
        split("0.01", source=7, targets=[to(8, "1/3"), to(8)]),
        split("2", target=8, sources=[of(7, "1"), of(7)], is_hold=True, seconds=600, key="s3"),
        split("9999", source=7, targets=shares, key="s4"),
    ]
    await settle(store, splits)
    member = split("1", source=7, targets=[to(8, "1%"), to(8)])
    await settle(store, [group(transfer(7, 8, "1"), member, split("1", targets=[to(8)], key="s5"), key="s6")])
    await settle(store, [group(split("1", targets=[to(8)], key="s5"), key="s7", atomic=False)])
    later = [split("3", source=7, targets=shares, key="s8"), split("9999", target=8, sources=[of(7)])]
    await settle(store, [enqueue(one) for one in later])
    await settle(store, [ClaimQueued(LEDGER, 10)])
    named = SplitTarget(UNRESOLVED, "100%", target=NAME), SplitSource(UNRESOLVED, source=NAME)
    await settle(
        store, [split("1", source=8, targets=named[:1], key="s10"), split("1", target=8, sources=named[1:], key="s11")]
    )
    later = [
        split("3", target=8, sources=[of(7)], key="s9"),
        split("1", source=8, targets=[*named[:1], SplitTarget(UNRESOLVED, remaining=True, target="x")], key="s12"),
    ]
    await settle(store, [enqueue(one) for one in later])


async def _keep_notes(store: Store, *ids: int) -> None:
    """Changes of the notes on these, with keys and without."""
    one, *others = (Annotate(LEDGER, id_, metadata={"note": "late"}, description="rent", key=f"n{id_}") for id_ in ids)
    patch = Annotate(LEDGER, one.transaction_id, metadata_patch={"note": "later", "more": "x"}, key="patched")
    await settle(store, [one, *others, Annotate(LEDGER, one.transaction_id, metadata={}, description=None)])
    await settle(store, [patch, Annotate(LEDGER, 10**6, description="nothing", key="unnoted")])


async def _post(store: Store, *commands: Command) -> list[int]:
    """The ids of what is posted, which all of it must be."""
    posted = postings(await settle(store, commands))
    assert len(posted) == len(commands)
    return [one.id for one in posted]
