"""The routes: the list is the application. The router and the OpenAPI document read the same table."""

from collections.abc import Sequence

from koshel.http.handlers import (
    accounts,
    annotations,
    balances,
    batches,
    cancelling,
    changes,
    erasure,
    exchange,
    following,
    keys,
    ledgers,
    lines,
    lists,
    meta,
    splits,
    statements,
    transactions,
    volume,
)
from koshel.http.route import Route

ROUTES: Sequence[Route] = (
    *accounts.ROUTES,
    *erasure.ROUTES,
    *transactions.ROUTES,
    *batches.ROUTES,
    *exchange.ROUTES,
    *following.ROUTES,
    *cancelling.ROUTES,
    *splits.ROUTES,
    *annotations.ROUTES,
    *changes.ROUTES,
    *lists.ROUTES,
    *lines.ROUTES,
    *balances.ROUTES,
    *statements.ROUTES,
    *ledgers.ROUTES,
    *volume.ROUTES,
    *keys.ROUTES,
    *meta.ROUTES,
)
