"""The commands of callers: HTTP and the library build them here."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import fields, replace

from koshel import values
from koshel.core.commands import (
    Capture,
    ChangeAccount,
    Command,
    Enqueue,
    Group,
    Hold,
    Kind,
    Member,
    Metadata,
    MetadataPatch,
    Move,
    OpenAccount,
    Refund,
    Request,
    Status,
    Void,
)
from koshel.values import MEMBERS_MAX, Given, Invalid

Strings = Mapping[str, str]

CommandT = TypeVar("CommandT", bound=Command)

_FIELDS = tuple(one.name for one in fields(values.Fields))
_MAPPINGS = ("metadata", "metadata_patch")  # any Mapping is taken, and kept as a dict


class Terms(Struct, frozen=True):
    """The defaults, for where a caller does not say otherwise."""

    currency: str
    max_balance: Decimal
    hold_lifetime_s: int
    hold_lifetime_max_s: int


class Requests:
    """The commands of one ledger. Amounts are exact: Decimal, str or int, never float.

    Each method raises Invalid for a value that can never be right, such as an amount that is not more than zero.
    """

    def __init__(self, ledger_id: int, terms: Terms) -> None:
        self.terms = terms
        self._ledger_id = ledger_id

    def open_account(
        self,
        email: str,
        *,
        currency: str | UnsetType = UNSET,
        min_balance: Given = 0,
        max_balance: Given | UnsetType | None = UNSET,
        metadata: Strings | None = None,
        key: str | None = None,
    ) -> OpenAccount:
        """A new account, without money; the settings have the defaults."""
        return OpenAccount(
            self._ledger_id,
            values.email(email),
            currency,
            values.floor(min_balance),
            UNSET if max_balance is UNSET else values.ceiling(max_balance),
            metadata or {},
            key,
            self.terms.currency,
            self.terms.max_balance,
        )

    def change_account(
        self,
        account_id: int,
        *,
        email: str | UnsetType = UNSET,
        min_balance: Given | UnsetType = UNSET,
        max_balance: Given | UnsetType | None = UNSET,
        status: Status | str | UnsetType = UNSET,
        metadata: Strings | UnsetType = UNSET,
        metadata_patch: MetadataPatch | UnsetType = UNSET,
        expected: Sequence[tuple[int, int]] | None = None,
        unexpected: Sequence[tuple[int, int]] | None = (),
        key: str | None = None,
    ) -> ChangeAccount:
        """A change of those fields of an account that are given.

        `metadata` replaces what is there, `metadata_patch` is merged into it: None removes an entry.
        `expected`: the (version, revision)s that it may be at; `unexpected`: those that it may not.
        """
        if metadata is not UNSET and metadata_patch is not UNSET:
            raise Invalid("metadata_patch", "does not go with metadata")
        return ChangeAccount(
            self._ledger_id,
            account_id,
            UNSET if email is UNSET else values.email(email),
            UNSET if min_balance is UNSET else values.floor(min_balance),
            UNSET if max_balance is UNSET else values.ceiling(max_balance),
            UNSET if status is UNSET else values.status(status),
            metadata,
            metadata_patch,
            None if expected is None else values.versions(expected, "expected"),
            None if unexpected is None else values.versions(unexpected, "unexpected"),
            key,
        )

    def payment(
        self, account_id: int, amount: Given, *, metadata: Strings | None = None, key: str | None = None
    ) -> Move:
        """Money in, from outside."""
        return self.move(Kind.PAYMENT, None, account_id, values.amount(amount), metadata=metadata or {}, key=key)

    def withdrawal(
        self, account_id: int, amount: Given, *, metadata: Strings | None = None, key: str | None = None
    ) -> Move:
        """Money out, to outside."""
        return self.move(Kind.WITHDRAWAL, account_id, None, values.amount(amount), metadata=metadata or {}, key=key)

    def transfer(
        self, source: int, target: int, amount: Given, *, metadata: Strings | None = None, key: str | None = None
    ) -> Move:
        """Money across, from one account to another."""
        return self.move(Kind.TRANSFER, source, target, values.amount(amount), metadata=metadata or {}, key=key)

    def move(
        self,
        kind: Kind,
        source: int | None,
        target: int | None,
        amount: Decimal,
        *,
        metadata: Metadata,
        key: str | None,
    ) -> Move:
        """Any of the three, of an amount that `values.amount` has passed."""
        return Move(self._ledger_id, kind, source, target, amount, metadata, key)

    def hold(
        self,
        source: int,
        target: int | None,
        amount: Given,
        *,
        expires_in: int | UnsetType = UNSET,
        metadata: Strings | None = None,
        key: str | None = None,
    ) -> Hold:
        """Money reserved, for `expires_in` seconds; without a target it is for a withdrawal."""
        wanted, terms = values.amount(amount), self.terms
        lasts = UNSET if expires_in is UNSET else values.lifetime(expires_in, terms.hold_lifetime_max_s)
        return Hold(self._ledger_id, source, target, wanted, lasts, metadata or {}, key, terms.hold_lifetime_s)

    def capture(
        self,
        hold_id: int,
        amount: Given | None = None,
        *,
        final: bool = True,
        metadata: Strings | None = None,
        key: str | None = None,
    ) -> Capture:
        """A hold's money moved to its target: `amount`, or all of it. Unless it is final, the rest stays reserved."""
        wanted = None if amount is None else values.amount(amount)
        return Capture(self._ledger_id, hold_id, wanted, final, metadata or {}, key)

    def void(self, hold_id: int, *, metadata: Strings | None = None, key: str | None = None) -> Void:
        """Release all that a hold still reserves."""
        return Void(self._ledger_id, hold_id, metadata or {}, key)

    def refund(
        self,
        transaction_id: int,
        amount: Given | None = None,
        *,
        metadata: Strings | None = None,
        key: str | None = None,
    ) -> Refund:
        """Money back the way it came: `amount`, or all that is left of it."""
        wanted = None if amount is None else values.amount(amount)
        return Refund(self._ledger_id, transaction_id, wanted, metadata or {}, key)

    def batch(self, members: Sequence[Request], *, atomic: bool = True, key: str | None = None) -> Group:
        """Requests that are settled together, in order; if atomic, all of them or none."""
        if not 0 < len(members) <= MEMBERS_MAX:
            raise Invalid("transactions", f"must have 1 to {MEMBERS_MAX} members")
        return Group(self._ledger_id, tuple(members), atomic, key)

    def enqueue(self, request: Request) -> Enqueue:
        """A request that is decided in the background."""
        return Enqueue(self._ledger_id, request, request.key)


def checked(command: CommandT) -> CommandT:
    """A program's command, if it can be kept and read again; HTTP's have been checked as they came. Raises Invalid."""
    match command:
        case Group():
            members = tuple(_checked_member(one, index) for index, one in enumerate(command.members))
            command = replace(command, members=members)
        case Enqueue():
            return replace(command, command=checked(command.command))
        case Move() | Hold():
            _check_sides(command)
    own = [name for name in _FIELDS if name in command.__struct_fields__]
    given = {name: value for name in own if (value := getattr(command, name)) is not UNSET}
    taken = values.fields(given)
    if (amount := getattr(command, "amount", None)) is not None:
        values.amount(amount)
    mappings = {name: getattr(taken, name) for name in _MAPPINGS if type(given.get(name, {})) is not dict}
    return replace(command, **mappings) if mappings else command


def _checked_member(command: Member, index: int) -> Member:
    try:
        return checked(command)
    except Invalid as error:
        raise Invalid(f"transactions/{index}/{error.field}", error.reason) from error


def _check_sides(command: Move | Hold) -> None:
    source, target = command.source_account_id, command.target_account_id
    if isinstance(command, Hold):
        if source is None:
            raise Invalid("source_account_id", "must not be null for a hold")
        return
    if source is None and target is None:
        raise Invalid("target_account_id", "must not be null when the source is")
    if command.kind is Kind.TRANSFER and (source is None or target is None):
        name = "source_account_id" if source is None else "target_account_id"
        raise Invalid(name, "is required for a transfer")
