"""Pages that are read while money moves: whatever was there before is in them, once each, in its order."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.http.conftest import OpenAccount
from tests.http.test_lists import walk
from tests.support.service import Running

BEFORE = 15  # payments that were made before the first page is read
MEANWHILE = 30


def pay(service: Running, account_id: int) -> int:
    made: int = service.call("POST", f"/account/{account_id}/payment", {"amount": "1"}).body["id"]
    return made


@contextmanager
def paying(service: Running, account_id: int) -> Iterator[None]:
    """Payments into the account, one after the other, beside the block."""
    payer = threading.Thread(target=lambda: [pay(service, account_id) for _ in range(MEANWHILE)])
    payer.start()
    try:
        yield
    finally:
        payer.join()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(1, BEFORE + MEANWHILE), order=st.sampled_from(["asc", "desc"]), are_lines=st.booleans())
def test_pages_are_complete_while_money_moves(
    service: Running, open_account: OpenAccount, *, limit: int, order: str, are_lines: bool
) -> None:
    busy = open_account()
    before = [pay(service, busy) for _ in range(BEFORE)]
    where = f"/account/{busy}/transaction" if are_lines else "/transaction"
    query = {} if are_lines else {"account_id": busy}
    with paying(service, busy):
        items = [*walk(service, where, limit=limit, order=order, **query)]
    found = [one["transaction"]["id"] if are_lines else one["id"] for one in items]
    assert found == sorted(set(found), reverse=order == "desc")
    assert set(before) <= set(found)
