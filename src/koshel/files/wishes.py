"""What lines of a file ask for: accounts with their opening balances, and transactions. Nothing is looked up here."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from msgspec import Struct, ValidationError, convert
from msgspec.structs import asdict, replace

from koshel.asking.checks import checked
from koshel.asking.requests import Requests
from koshel.core.commands import ERASED, UNRESOLVED, EnsureAccount, Kind, Move, OpenAccount
from koshel.core.exchange import EMAIL
from koshel.core.labelled import LABELS
from koshel.files.formats import NO_LIMIT
from koshel.files.keys import PREFIX, Keys, Known
from koshel.files.lines import Line
from koshel.files.spelling import time_of
from koshel.inputs.labels import Labels
from koshel.inputs.texts import AT, AccountRef, Asked, asked, identifier, is_key
from koshel.inputs.values import KEY_REASON, Invalid, amount, decimal, fields

NO_MONEY = frozenset({Kind.HOLD, Kind.VOID, Kind.EXPIRY})  # what moves none
_OF_SIDES = {(True, True): Kind.TRANSFER, (False, True): Kind.PAYMENT, (True, False): Kind.WITHDRAWAL}
_KINDS = {kind.value: kind for kind in Kind}  # several times faster to look up than Kind itself
_MOVES = frozenset(_OF_SIDES.values())
_NOBODYS = (ERASED, EMAIL)  # emails that an account has, but that no caller can give one
_TERMS = ("email", "currency", "min_balance", "max_balance", "metadata")
_LABELS = frozenset(LABELS)
_OPENING = "Opening balance"  # how the transaction is described that brings one


class _Labelled(Labels, frozen=True, forbid_unknown_fields=False):
    """Of all that a line says, its labels."""


class AccountWish(Struct, frozen=True, gc=False, tag="account"):
    """An account to be opened, with a balance; `key` is that of the transaction that brings the balance."""

    line: int
    opening: OpenAccount | EnsureAccount
    currency: str
    balance: Decimal
    key: str
    by_content: bool = False  # it is known again by nothing but what its line says


class TransactionWish(Struct, frozen=True, gc=False, tag="transaction"):
    """Money to be moved between accounts that have a currency, if the line says which."""

    line: int
    move: Move
    currency: str | None
    has_own_key: bool
    by_content: bool = False  # as of an account


Wish: TypeAlias = AccountWish | TransactionWish


def balance_of(wish: AccountWish, account: AccountRef, requests: Requests) -> Move:
    """What brings an account the balance that it is opened with; it has one."""
    make = requests.payment if wish.balance > 0 else requests.withdrawal
    return make(account, amount=wish.balance.copy_abs(), key=wish.key, description=_OPENING)


def has_ids(move: Move) -> bool:
    """Whether the accounts that it names have their ids already."""
    return UNRESOLVED not in (move.source_account_id, move.target_account_id)


class Reader:
    """Reads the lines of one file, from its first to its last; counts what they say that is passed over, in words."""

    def __init__(
        self,
        requests: Requests,
        *,
        ids_as: str | None = None,
        with_balances: bool = True,
        known: Mapping[str, Asked] | None = None,
    ) -> None:
        self.passed_over: Counter[str] = Counter()
        self._requests = requests
        self._ids_as = ids_as  # before an id, it makes the name of an account of it
        self._with_balances = with_balances
        self._known = {} if known is None else known  # accounts that have been looked up, by name
        self.keys = Keys()

    def account(self, line: Line) -> AccountWish:
        """The account that a line asks for. Raises Invalid."""
        said = line.values
        terms = {column: said[column] for column in _TERMS if not _is_empty(said.get(column))}
        if "email" not in terms:
            raise Invalid("email", "is missing")
        if "max_balance" in said and said["max_balance"] in (None, NO_LIMIT):
            terms["max_balance"] = None
        email = terms["email"]
        if email in _NOBODYS:
            terms["email"] = "nobody@example.com"
        opening: OpenAccount | EnsureAccount
        name, key, by_content = self._own_name(said), None, False
        if name is None:
            known = self.keys.known(said)
            key, by_content = known.key, known.by_content
            opening = self._requests.open_account(**terms, key=key)
        else:
            opening = self._requests.ensure_account(name, **terms)
        balance = decimal(said["balance"], "balance") if self._brings_balance(said) else Decimal(0)
        if email in _NOBODYS:
            opening = replace(opening, email=email)
        self._count_what_is_left(said)
        currency = terms.get("currency", self._requests.terms.currency)
        key = f"{key or f'{PREFIX}{name}'}:balance"
        return AccountWish(line.number, checked(opening), currency, balance, key, by_content=by_content)

    def transaction(self, line: Line) -> TransactionWish | None:
        """The transaction that a line asks for; None if it says what moves no money. Raises Invalid."""
        said = line.values
        kind = _kind(said) if "kind" in said else None
        if kind in NO_MONEY:
            self.passed_over["holds, voids and expiries, which move no money"] += 1
            return None
        source, target = (
            self._side(said, "source", "source_account_id"),
            self._side(said, "target", "target_account_id"),
        )
        by_sides = _OF_SIDES.get((source is not None, target is not None))
        if by_sides is None:
            raise Invalid("source", "is missing, and target too")
        if kind is not None and kind is not by_sides and kind in _MOVES:
            raise Invalid("kind", f"is {kind}, but its source and target make it a {by_sides}")
        if _is_empty(said.get("amount")):
            raise Invalid("amount", "is missing")
        key = _text(said, "idempotency_key")
        if key is not None and not is_key(key):
            raise Invalid("idempotency_key", KEY_REASON)
        labels, wanted = _with_day(_labels(said), said), amount(said["amount"])
        known = self.keys.known(said) if key is None else Known(key, by_content=False)
        move = self._requests.move(by_sides, source, target, wanted, labels, key=known.key)
        currency = _text(said, "currency")
        return TransactionWish(line.number, move, currency, has_own_key=key is not None, by_content=known.by_content)

    def _brings_balance(self, said: Mapping[str, Any]) -> bool:
        return self._with_balances and not _is_empty(said.get("balance"))

    def _own_name(self, said: Mapping[str, Any]) -> str | None:
        name = _text(said, "name")
        if name is None and self._ids_as is not None and not _is_empty(said.get("id")):
            return f"{self._ids_as}{identifier(str(said['id']))}"
        return name

    def _side(self, said: Mapping[str, Any], side: str, column: str) -> Asked | None:
        name = _text(said, side)
        if name is not None:
            name = name.removeprefix(AT)
            return self._known.get(name) or asked(f"{AT}{name}", side)
        if _is_empty(said.get(column)):
            return None
        id_ = identifier(str(said[column]), column)
        return (id_, None) if self._ids_as is None else asked(f"{AT}{self._ids_as}{id_}", column)

    def _count_what_is_left(self, said: Mapping[str, Any]) -> None:
        if said.get("status", "open") not in ("open", "", None):
            self.passed_over["accounts that were frozen or closed, and are open"] += 1
        if not _is_empty(said.get("held")) and decimal(said["held"], "held"):
            self.passed_over["accounts with money that was held, and is not"] += 1
        if not _is_empty(said.get("limits")) and said["limits"] != []:
            self.passed_over["accounts with limits by time, and have none"] += 1


def _labels(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """The labels of a transaction, by name, if it has any. Raises Invalid."""
    if _LABELS.isdisjoint(said):
        return {}
    try:
        return asdict(convert(said, _Labelled))
    except ValidationError:  # something is wrong, or empty
        named = {name: value for name in _LABELS if not _is_empty(value := said.get(name))}
        return asdict(fields(named, Labels))


def _with_day(labels: Mapping[str, Any], said: Mapping[str, Any]) -> Mapping[str, Any]:
    """The labels; if they have no day, the one of the line's own time, which it is not booked with. Raises Invalid."""
    if labels.get("effective_on") is not None or _is_empty(said.get("ctime")):
        return labels
    return {**labels, "effective_on": time_of(said["ctime"]).date()}


def _is_empty(value: object) -> bool:
    return value is None or value == ""


def _text(said: Mapping[str, Any], column: str) -> str | None:
    value = said.get(column)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Invalid(column, "must be a text")
    return value


def _kind(said: Mapping[str, Any]) -> Kind | None:
    text = _text(said, "kind")
    kind = None if text is None else _KINDS.get(text)
    if kind is None and text is not None:
        raise Invalid("kind", "must be one of " + ", ".join(sorted(Kind)))
    return kind
