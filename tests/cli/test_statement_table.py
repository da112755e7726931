"""A statement in a terminal adds up to the last digit."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from types import SimpleNamespace
from typing import Any, cast

from koshel.command_line.statement import Statement, table
from koshel.core.commands import Kind
from koshel.library import account_books
from koshel.library.account_books import Line
from koshel.library.results import Account, Balance

MOST = "999999999999999999.999999999999999999"


async def test_what_came_in_and_what_left_are_exact() -> None:
    moment = datetime(2026, 11, 1, tzinfo=UTC)

    async def lines() -> AsyncIterator[Line]:
        for version, change in enumerate((MOST, f"-{MOST}", MOST, f"-{MOST}"), start=1):
            one = SimpleNamespace(
                id=version, kind=Kind.PAYMENT, ctime=moment, reference=None, source=None, target=None,
                source_account_id=None, target_account_id=7,
            )  # fmt: skip
            zero = Decimal("0.000000000000000000")
            yield Line(version=version, transaction=cast("Any", one), change=Decimal(change), balance=zero, held=zero)

    def balance(version: int) -> Balance:
        zero = Decimal("0.000000000000000000")
        return cast("Balance", SimpleNamespace(version=version, balance=zero, held=zero))

    account = cast("Account", SimpleNamespace(id=7, name=None, currency="ETH"))
    with localcontext(prec=3):
        read = account_books.Statement(balance(0), balance(4), lines)
        parts = [part async for part in table(Statement(account, read, None, None), "main")]
    twice = "1999999999999999999.999999999999999998"
    assert parts[-1] == f"in {twice}, out {twice}\n"
    assert f"-{MOST}" in "".join(parts)
