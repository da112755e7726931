"""For books with every kind of everything: splits of which all holds ended together, or are to."""

from datetime import UTC, date, datetime, timedelta
from functools import partial

from msgspec.structs import replace

from koshel.core.model import Grouped, Queued
from koshel.db import cancelling
from koshel.db.settling.claims import ClaimQueued
from koshel.db.store import Store
from koshel.settle import settle
from tests.support.split_legs import end, split, to
from tests.support.wallets import enqueue, postings

SAID = {"reference": "order 10", "description": "parcel", "effective_on": date(2026, 2, 28), "metadata": {"note": "z"}}


async def keep_every_end(store: Store, ledger_id: int) -> None:
    """With keys and without: at once, refused, in the background, declined, waiting, and cancelled."""
    made = await settle(
        store, [split("0.25", source=8, targets=[to(7, "1/3"), to(7)], is_hold=True, key=f"z:{n}") for n in range(6)]
    )
    assert all(isinstance(one, Grouped) for one in made), made
    ended = [
        end("capture", *(leg.id for leg in postings([one])), split_id=one.group_id or 0)
        for one in made
        if isinstance(one, Grouped)
    ]
    voided = [replace(one, kind="void") for one in ended]
    await settle(store, [replace(ended[0], key="z1", **SAID), voided[1]])
    await settle(store, [replace(ended[0], key="z2"), replace(voided[2], key="z3")])
    later = [replace(ended[3], key="z4", **SAID), voided[4], replace(ended[0], key="z5"), replace(voided[1], key="z6")]
    await settle(store, [enqueue(one) for one in later])
    await settle(store, [ClaimQueued(ledger_id, 10)])
    ahead = datetime.now(UTC) + timedelta(days=1)
    *_, last = await settle(store, [enqueue(replace(one, key=one.kind), ahead) for one in (ended[5], voided[5])])
    assert isinstance(last, Queued)
    await store.transact(
        [ledger_id], partial(cancelling.cancel, ledger_id=ledger_id, transaction_id=last.id, request_id=None)
    )
