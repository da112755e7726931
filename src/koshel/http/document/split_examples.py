"""The examples of splits: a part of the story in examples.py, between accounts 1, 2 and 3."""

from collections.abc import Sequence
from typing import Any

from koshel.http.document.example import TOMORROW, Example, JsonObject, transaction

_SAID = {"reference": "order 22", "effective_on": "2026-11-20"}
_HELD = {"status": "held", "expires_at": TOMORROW}


def _split(group_id: int, *legs: Any, kind: str = "transfer", **fields: Any) -> JsonObject:
    """From account 1; of each leg the id, the target, the amount, and what else it has."""
    made = [
        transaction(id_, kind, 1, target, amount, group_id=group_id, **fields, **dict(*more))
        for id_, target, amount, *more in legs
    ]
    return {"results": [{"transaction": one} for one in made], "group_id": group_id}


def _share(target: int, share: str) -> JsonObject:
    return {"target_account_id": target, "share": share}


def _remaining(target: int) -> JsonObject:
    return {"target_account_id": target, "remaining": True}


SPLITS: Sequence[Example] = (
    Example(
        "transfer",
        "A split",
        _split(2, (10, 2, "8.50"), (11, 3, "1.50")),
        201,
        {"source_account_id": 1, "targets": [_share(2, "85%"), _remaining(3)], "amount": "10"},
    ),
    Example(
        "transfer",
        "A split, held",
        _split(3, (12, 2, "8.50"), (13, 3, "1.50"), kind="hold", **_HELD, **_SAID),
        201,
        {"source_account_id": 1, "targets": [_share(2, "85%"), _remaining(3)], "amount": "10", "hold": {}, **_SAID},
    ),
    Example(
        "get_split",
        "What is held",
        _split(
            3,
            (12, 2, "8.50", {"remaining": "8.50"}),
            (13, 3, "1.50", {"remaining": "1.50"}),
            kind="hold",
            **_HELD,
            **_SAID,
        ),
        path={"id": 3},
    ),
    Example(
        "capture_split",
        "All of it",
        _split(
            4,
            (14, 2, "8.50", {"parent_id": 12}),
            (15, 3, "1.50", {"parent_id": 13}),
            kind="capture",
            reference="order 22",
        ),
        201,
        {},
        {"id": 3},
    ),
    Example(
        "transfer",
        "Another, held",
        _split(5, (16, 2, "4.00"), (17, 3, "4.00"), kind="hold", **_HELD),
        201,
        {"source_account_id": 1, "targets": [_share(2, "1/2"), _share(3, "1/2")], "amount": "8", "hold": {}},
    ),
    Example(
        "void_split",
        "All of it",
        _split(6, (18, 2, "4.00", {"parent_id": 16}), (19, 3, "4.00", {"parent_id": 17}), kind="void"),
        201,
        {},
        {"id": 5},
    ),
)
