"""Whether a split that was kept agrees with its transactions. No connection here.

A row has a transaction's columns by their names, metadata as text, the names of its accounts, `currency`, and where it
has no `expires_at` for how long it is open, `lifetime_s`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET

from koshel.core.apportion import share_of, whole
from koshel.core.commands import Kind, Split
from koshel.core.labelled import LABELS
from koshel.core.legs import AccountIdPair, SplitSource, SplitTarget
from koshel.core.money import floored, in_units, plus, rounded, scale_of
from koshel.db.mapping.split_receipts import SplitReceipt

Row: TypeAlias = Mapping[str, Any]
Sides: TypeAlias = tuple[AccountIdPair, tuple[str | None, str | None]]


def of_leg(split: Split, row: Row) -> str | None:
    """A split, and one of its transactions: the first field that differs, None if all agree."""
    unlike = [_unlike(sides, row) for sides in _sides(split)]
    return next(iter(unlike), "amount") if all(unlike) else _of_terms(split, row)


def of_legs(receipt: SplitReceipt, rows: Sequence[Row | None]) -> str | None:
    """A split's answer, and the row of each leg that was not left out: what differs, None if all agree."""
    split = receipt.command
    legs = _sides(split)
    if len(receipt.legs) != len(legs):
        return "number of legs"
    last_id, total = 0, None
    for id_, sides, row in zip(receipt.legs, legs, rows, strict=True):
        if row is None:
            if id_ is not None:
                return f"transaction {id_}"
            continue
        if row["group_id"] != receipt.group_id or row["id"] <= last_id:
            return "group_id"
        if field := _unlike(sides, row) or _of_terms(split, row):
            return field
        last_id, total = row["id"], row["amount"] if total is None else plus(total, row["amount"])
    if total is None or rounded(split.amount, scale_of(total)) != total:
        return "amount"
    return None if _are_parts(split, [None if row is None else row["amount"] for row in rows], total) else "parts"


def _sides(split: Split) -> Sequence[Sides]:
    """Of each leg the ids and the names by which its accounts were asked for."""
    return [*zip(split.pairs, split.names, strict=True)]


def _unlike(sides: Sides, row: Row) -> str | None:
    """Where a transaction's accounts are not those of a leg. Who was asked for by name may not have been there yet."""
    for side, id_, name in zip(("source", "target"), *sides, strict=True):
        if id_ != row[f"{side}_account_id"] and (name is None or id_):
            return f"{side}_account_id"
        if name is not None and name != row[f"{side}_name"]:
            return side
    return None


def _of_terms(split: Split, row: Row) -> str | None:
    """What all legs have in common."""
    if split.ledger_id != row["ledger_id"]:
        return "ledger_id"
    if split.kind != row["kind"]:
        return "kind"
    if row["parent_id"] is not None:
        return "parent_id"
    if row["amount"] > split.amount and row["amount"] > rounded(split.amount, scale_of(row["amount"])):
        return "amount"
    if split.kind is Kind.HOLD:
        if _lifetime_s(row) != _wanted_s(split):
            return "expires_at"
        if (split.capture_at or None) != row["capture_at"]:
            return "capture_at"
    said = dict(row) | {"metadata": msgspec.json.decode(row["metadata"])}
    return next((name for name in LABELS if getattr(split, name) != said[name]), None)


def _are_parts(split: Split, amounts: Sequence[Decimal | None], total: Decimal) -> bool:
    """Whether each leg has what it asked for, as far as that can be told without what the sources had then."""
    scale = scale_of(total)
    units, given = in_units(total, scale), [0 if one is None else in_units(one, scale) for one in amounts]
    legs: Sequence[SplitSource | SplitTarget] = split.sources or split.targets
    try:
        shares = [Fraction(0) if one.share is None else Fraction(*share_of(one.share)) for one in legs]
    except (ValueError, ZeroDivisionError):
        return False
    fixed = {
        place: in_units(rounded(one.amount, scale), scale)
        for place, one in enumerate(split.targets)
        if one.amount is not None
    }
    exact = [Fraction(fixed[place]) if place in fixed else units * share for place, share in enumerate(shares)]
    rest = [units - sum(exact, start=Fraction(0))]
    if split.targets:
        for place, one in enumerate(split.targets):
            if one.remaining and rest:
                exact[place] = rest.pop()
    if any(one < 0 for one in rest):
        return False
    denominator = lcm(*[one.denominator for one in exact])
    parts = whole([int(one * denominator) for one in (*exact, *rest)], denominator)
    asked = [place for place, one in enumerate(legs) if one.share is not None or split.targets]
    return all(given[place] == parts[place] for place in asked) and all(
        one.max is None or given[place] <= in_units(floored(one.max, scale), scale)
        for place, one in enumerate(split.sources)
    )


def _wanted_s(split: Split) -> int:
    """For how many seconds its holds are open."""
    return split.default_expires_in if split.expires_in is UNSET else split.expires_in


def _lifetime_s(row: Row) -> Any:
    """For how many seconds the hold is open; None if a time is none that Python knows, such as infinity."""
    if "lifetime_s" in row:
        return row["lifetime_s"]
    try:
        return (row["expires_at"] - row["ctime"]).total_seconds()
    except TypeError:
        return None
