"""The routes: the list is the application. The router and the OpenAPI document read the same table."""

from collections.abc import Sequence

from koshel.http import accounts, erasure, following, keys, ledgers, meta, transactions
from koshel.http.route import Route

ROUTES: Sequence[Route] = (
    *accounts.ROUTES,
    *erasure.ROUTES,
    *transactions.ROUTES,
    *following.ROUTES,
    *ledgers.ROUTES,
    *keys.ROUTES,
    *meta.ROUTES,
)
