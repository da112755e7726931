"""Accounts opened by settling, and a look at what settling has left behind."""

from decimal import Decimal
from typing import Any

import msgspec
import psycopg

from koshel.core.commands import OpenAccount
from koshel.core.model import Declined, Opened, Outcome, Refusal
from koshel.db.store import Store
from koshel.settle import settle
from tests.support.database import Database
from tests.support.waiting import until

TABLES = ("account", "transaction", "receipt", "batch")
ELSEWHERE = {"rest"}  # what a hold still reserves is kept in a row of its own
PASSING = ELSEWHERE | {
    "id",
    "group_id",
    "ctime",
    "expires_at",
    "latest",
    "fits_at",
}  # what the database gives, or the clock says


def opening(currency: str = "USD", *, key: str | None = None, floor: str = "0", ledger_id: int = 1) -> OpenAccount:
    return OpenAccount(ledger_id, "ann@example.com", currency, Decimal(floor), Decimal(1_000), key=key)


async def open_accounts(store: Store, *commands: OpenAccount) -> list[int]:
    return [outcome.account.id for outcome in await settle(store, commands) if isinstance(outcome, Opened)]


def query(database: Database, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.owner_url) as connection:
        return connection.execute(sql.encode()).fetchall()


def rows(database: Database) -> dict[str, int]:
    return {table: query(database, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


def refusals(outcomes: list[Outcome]) -> list[Refusal | None]:
    return [outcome.refusal if isinstance(outcome, Declined) else None for outcome in outcomes]


def exactly(outcome: Outcome) -> Any:
    """An outcome to the last digit, as far as it is an answer."""
    return _without(ELSEWHERE, msgspec.to_builtins(outcome))


def timeless(outcome: Outcome) -> Any:
    """The same, without ids and times."""
    return _without(PASSING, msgspec.to_builtins(outcome))


def _without(names: set[str], value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("type") == "grouped" and value["command"]["type"] in {"group", "exchange"}:
            value = _as_kept(value)
        return {name: _without(names, one) for name, one in value.items() if name not in names}
    return [_without(names, one) for one in value] if isinstance(value, list | tuple) else value


def _as_kept(grouped: dict[str, Any]) -> dict[str, Any]:
    """A group's receipt says of a plain move that was posted what was posted, not what was sent and then rounded."""
    if grouped["command"]["type"] == "exchange":  # its receipt does not say what it has opened
        return grouped | {"outcomes": [one for one in grouped["outcomes"] if one["type"] == "posted"]}
    pairs = zip(grouped["command"]["members"], grouped["outcomes"], strict=True)
    kept = [_rounded(*pair) for pair in pairs]
    command = grouped["command"] | {"members": [member for member, _ in kept]}
    return grouped | {"command": command, "outcomes": [outcome for _, outcome in kept]}


def _rounded(member: dict[str, Any], outcome: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    if (member["type"], outcome["type"]) != ("move", "posted"):
        return member, outcome
    amount = {"amount": outcome["amount"]}
    request = outcome.get("request")  # of a move by names it says by which
    return member | amount, outcome | ({} if request is None else {"request": request | amount})


async def waits(database: Database) -> None:
    """Return when a batch waits for a lock."""
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database() AND application_name = 'koshel settle'"
    )
    await until(lambda: bool(query(database, waiting)), "a batch waits for a lock")
