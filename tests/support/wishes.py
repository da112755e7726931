"""What somebody might ask for next, drawn at random and then made to suit what there is."""

from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.support.wallet_model import REFUNDABLE, Deed, Model, Wish

MISSING = 999_999_999
KINDS = [
    "payment",
    "withdrawal",
    "transfer",
    "transfer",
    "hold",
    "hold",
    "capture",
    "capture",
    "void",
    "refund",
    "refund",
]


class Sketch(NamedTuple):
    """A wish before there is anything to wish for: its numbers choose among what there will be."""

    kind: str
    one: int
    other: int
    amount: Decimal
    all: bool
    final: bool
    reference: str | None
    by_names: bool


SKETCHES = st.builds(
    Sketch,
    st.sampled_from(KINDS),
    st.integers(0, 99),
    st.integers(0, 99),
    st.decimals("0.001", "120", places=3),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, None, "order 7", "order 8"]),
    st.booleans(),
)


def wish_of(model: Model, sketch: Sketch) -> Wish:
    """The wish, about accounts and transactions that are there; now and then about one that does not suit."""
    names = {id_: purse.name for id_, purse in model.purses.items() if purse.name and sketch.by_names}
    return _wish_of(model, sketch)._replace(reference=sketch.reference, names=names)


def _wish_of(model: Model, sketch: Sketch) -> Wish:
    kind, amount = sketch.kind, sketch.amount
    accounts = list(model.purses)
    source = accounts[sketch.one % len(accounts)]
    others = accounts if sketch.other % 10 == 9 else [one for one in accounts if one != source]
    target = others[sketch.other % len(others)]
    if kind in {"capture", "void", "refund"}:
        suitable = [id_ for id_, deed in model.deeds.items() if _suits(kind, deed)] if sketch.one % 5 else []
        ids = suitable or [*model.deeds, *model.declined, MISSING]
        parent = ids[sketch.other % len(ids)]
        return Wish(kind, parent=parent, amount=None if sketch.all or kind == "void" else amount, final=sketch.final)
    if kind == "payment":
        return Wish(kind, None, target, amount=amount)
    if kind == "withdrawal" or (kind == "hold" and sketch.all):
        return Wish(kind, source, None, amount=amount)
    return Wish(kind, source, target, amount=amount)


def _suits(kind: str, deed: Deed) -> bool:
    return deed.kind in REFUNDABLE if kind == "refund" else deed.status == "held"


def member(wish: Wish) -> dict[str, Any]:
    """The wish as a member of a batch."""
    said = {"amount": wish.amount and str(wish.amount), "reference": wish.reference}
    said = {name: value for name, value in said.items() if value is not None}
    if wish.parent is not None:
        return {wish.kind: wish.parent} | said | ({"final": wish.final} if wish.kind == "capture" else {})
    hold: dict[str, Any] = {"hold": {}} if wish.kind == "hold" else {}
    return _side(wish, "source", wish.source) | _side(wish, "target", wish.target) | said | hold


def _side(wish: Wish, side: str, id_: int | None) -> dict[str, Any]:
    name = None if id_ is None else wish.names.get(id_)
    return {f"{side}_account_id": id_} if name is None else {side: name}


def request(wish: Wish) -> tuple[str, dict[str, Any]]:
    """The wish as a request: its path and body."""
    body = member(wish)
    if wish.kind in {"payment", "withdrawal"}:
        (id_,) = (id_ for id_ in (wish.source, wish.target) if id_ is not None)
        body = {name: value for name, value in body.items() if not name.startswith(("source", "target"))}
        return f"/account/{f'@{wish.names[id_]}' if id_ in wish.names else id_}/{wish.kind}", body
    if wish.parent is None:
        return "/transaction", body
    body.pop(wish.kind)
    return f"/transaction/{wish.parent}/{wish.kind}", body
