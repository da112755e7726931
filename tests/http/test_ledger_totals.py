"""What a ledger has by currency: from one moment, and always what came in less what left."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from koshel.db.server.embedded import Cluster
from tests.support.clone import cloned
from tests.support.service import Running, serving
from tests.support.till import Till, transfer


@pytest.fixture(scope="module")
def alone(cluster: Cluster) -> Iterator[Running]:
    """A service with a ledger of its own, in which nothing is yet."""
    with cloned(cluster, "ledger_totals_tests") as database, serving(database.service_url, auth="off") as service:
        yield service


def totals(service: Running) -> dict[str, Any]:
    return {one.pop("currency"): one for one in service.call("GET", "/ledger").body["currencies"]}


def test_the_sums_are_those_of_what_has_happened(alone: Running) -> None:
    assert totals(alone) == {}
    till = Till(alone)
    ann, bob, jan = till.open("100"), till.open(), till.open(currency="JPY")
    till.transfer(ann, bob, "30")
    till.withdraw(bob, "12.50")
    hold = till.hold(ann, bob, "20").body["id"]
    till.capture(hold, "5", final=False)
    outside = till.hold(ann, None, "7").body["id"]
    till.capture(outside)
    paid = till.pay(jan, "500").body["id"]
    till.refund(paid, "100")
    till.refund(till.withdraw(bob, "2").body["id"])
    assert totals(alone) == {
        "JPY": {
            "accounts": 1,
            "balance": "400",
            "held": "0",
            "paid_in": "500",
            "paid_out": "100",
            "balanced": True,
        },
        "USD": {
            "accounts": 2,
            "balance": "80.50",
            "held": "15.00",
            "paid_in": "102.00",
            "paid_out": "21.50",
            "balanced": True,
        },
    }


def test_they_are_balanced_at_every_moment(alone: Running) -> None:
    till = Till(alone)
    ann, bob = till.open("1000"), till.open()
    is_over = threading.Event()

    def move() -> None:
        while not is_over.is_set():
            till.pay(ann, "1")
            till.post("/transaction", transfer(ann, bob, "1"))
            till.withdraw(bob, "1")

    mover = threading.Thread(target=move)
    mover.start()
    try:
        found = [totals(alone) for _ in range(20)]
    finally:
        is_over.set()
        mover.join()
    assert all(one["balanced"] for each in found for one in each.values())
    assert len({each["USD"]["paid_in"] for each in found}) > 1, "money has moved meanwhile"
