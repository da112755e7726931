"""What a caller wants, as commands: the HTTP routes and the library build them here."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from msgspec import UNSET, Struct, UnsetType, ValidationError, convert, json
from msgspec.structs import replace

from koshel import emails
from koshel.core.commands import (
    Capture,
    ChangeAccount,
    Command,
    Enqueue,
    Group,
    Hold,
    Kind,
    Metadata,
    MetadataPatch,
    Move,
    OpenAccount,
    Refund,
    Request,
    Status,
    Void,
)
from koshel.values import MEMBERS_MAX, Id, Money, NotesPatch, Texts, ceiling, floor, positive

Strings = Mapping[str, str]

CommandT = TypeVar("CommandT", bound=Command)


class Terms(Struct, frozen=True):
    """What holds where a caller does not say otherwise."""

    currency: str
    max_balance: Decimal
    hold_lifetime_s: int
    hold_lifetime_max_s: int


class Requests:
    """The commands of one ledger. Amounts are exact: Decimal, str or int, never float.

    Each raises ValueError for what can never be right: an amount that is not more than zero, say.
    """

    def __init__(self, ledger_id: int, terms: Terms) -> None:
        self.terms = terms
        self._ledger_id = ledger_id

    def open_account(
        self,
        email: str,
        *,
        currency: str | UnsetType = UNSET,
        min_balance: Money = 0,
        max_balance: Money | UnsetType | None = UNSET,
        metadata: Strings | None = None,
        key: str | None = None,
    ) -> OpenAccount:
        """A new account, without money; where nothing is said the settings say what holds."""
        return OpenAccount(
            self._ledger_id,
            email,
            currency,
            floor(min_balance),
            max_balance if max_balance is UNSET or max_balance is None else ceiling(max_balance),
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
        min_balance: Money | UnsetType = UNSET,
        max_balance: Money | UnsetType | None = UNSET,
        status: Status | str | UnsetType = UNSET,
        metadata: Strings | UnsetType = UNSET,
        metadata_patch: MetadataPatch | UnsetType = UNSET,
        expected: Sequence[tuple[int, int]] | None = None,
        unexpected: Sequence[tuple[int, int]] | None = (),
        key: str | None = None,
    ) -> ChangeAccount:
        """Of an account, what is given.

        `metadata` replaces what is there, `metadata_patch` is merged into it: None removes an entry.
        `expected`: the (version, revision)s that it may be at; `unexpected`: those that it may not.
        """
        if metadata is not UNSET and metadata_patch is not UNSET:
            raise ValueError("metadata is either replaced or patched")
        return ChangeAccount(
            self._ledger_id,
            account_id,
            email,
            UNSET if min_balance is UNSET else floor(min_balance),
            max_balance if max_balance is UNSET or max_balance is None else ceiling(max_balance),
            UNSET if status is UNSET else Status(status),
            metadata,
            None if expected is None else tuple(expected),
            key,
            None if unexpected is None else tuple(unexpected),
            metadata_patch,
        )

    def payment(
        self, account_id: int, amount: Money, *, metadata: Strings | None = None, key: str | None = None
    ) -> Move:
        """Money in, from outside."""
        return self.move(Kind.PAYMENT, None, account_id, positive(amount), metadata=metadata or {}, key=key)

    def withdrawal(
        self, account_id: int, amount: Money, *, metadata: Strings | None = None, key: str | None = None
    ) -> Move:
        """Money out, to outside."""
        return self.move(Kind.WITHDRAWAL, account_id, None, positive(amount), metadata=metadata or {}, key=key)

    def transfer(
        self, source: int, target: int, amount: Money, *, metadata: Strings | None = None, key: str | None = None
    ) -> Move:
        """Money across, from one account to another."""
        return self.move(Kind.TRANSFER, source, target, positive(amount), metadata=metadata or {}, key=key)

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
        """Any of the three. The amount is not checked here, but in `checked`, or where it was read from a request."""
        return Move(self._ledger_id, kind, source, target, amount, metadata, key)

    def hold(
        self,
        source: int,
        target: int | None,
        amount: Money,
        *,
        expires_in: int | UnsetType = UNSET,
        metadata: Strings | None = None,
        key: str | None = None,
    ) -> Hold:
        """Money reserved, for `expires_in` seconds; without a target it is for a withdrawal."""
        if expires_in is not UNSET and not 0 < expires_in <= self.terms.hold_lifetime_max_s:
            message = f"expires_in must be from 1 to {self.terms.hold_lifetime_max_s} seconds"
            raise ValueError(message)
        lifetime_s = self.terms.hold_lifetime_s
        return Hold(self._ledger_id, source, target, positive(amount), expires_in, metadata or {}, key, lifetime_s)

    def capture(
        self,
        hold_id: int,
        amount: Money | None = None,
        *,
        final: bool = True,
        metadata: Strings | None = None,
        key: str | None = None,
    ) -> Capture:
        """A hold's money where it was meant for: `amount`, or all; unless final, the rest stays reserved."""
        wanted = None if amount is None else positive(amount)
        return Capture(self._ledger_id, hold_id, wanted, final, metadata or {}, key)

    def void(self, hold_id: int, *, metadata: Strings | None = None, key: str | None = None) -> Void:
        """All that a hold still reserves, free again."""
        return Void(self._ledger_id, hold_id, metadata or {}, key)

    def refund(
        self,
        transaction_id: int,
        amount: Money | None = None,
        *,
        metadata: Strings | None = None,
        key: str | None = None,
    ) -> Refund:
        """Money back the way it came: `amount`, or all that is left of it."""
        wanted = None if amount is None else positive(amount)
        return Refund(self._ledger_id, transaction_id, wanted, metadata or {}, key)

    def batch(self, members: Sequence[Request], *, atomic: bool = True, key: str | None = None) -> Group:
        """Requests that are settled together, in order; if atomic, all of them or none."""
        if not 0 < len(members) <= MEMBERS_MAX:
            message = f"a batch has 1 to {MEMBERS_MAX} members"
            raise ValueError(message)
        return Group(self._ledger_id, tuple(members), atomic, key)

    def later(self, request: Request) -> Enqueue:
        """A request that is settled in the background."""
        return Enqueue(self._ledger_id, request, request.key)


def checked(command: CommandT) -> CommandT:
    """The command, if it can be kept and read again; what comes over HTTP has been checked. Raises ValueError."""
    try:
        json.decode(json.encode(command), type=type(command))
        for one in _parts(command):
            metadata = getattr(one, "metadata", UNSET)
            convert({"key": one.key, "metadata": {} if metadata is UNSET else metadata}, Texts)
            if (patch := getattr(one, "metadata_patch", UNSET)) is not UNSET:
                convert(patch, NotesPatch)
            amount = getattr(one, "amount", None)
            if amount is not None:
                positive(amount)
            for name in ("account_id", "source_account_id", "target_account_id", "parent_id"):
                convert(getattr(one, name, None), Id | None)
    except ValidationError as error:
        raise ValueError(str(error)) from error
    if isinstance(command, OpenAccount | ChangeAccount) and command.email is not UNSET:
        return replace(command, email=emails.normalized(command.email))
    return command


def _parts(command: Command) -> Sequence[Command]:
    """The command, and those in it; each Move has the sides of its kind. Raises ValueError."""
    inside: Sequence[Command] = ()
    match command:
        case Group():
            inside = command.members
        case Enqueue():
            inside = (command.command,)
        case Move(kind=Kind.TRANSFER, source_account_id=source, target_account_id=target) if None in {source, target}:
            raise ValueError("a transfer has a source and a target")
        case Move(source_account_id=None, target_account_id=None):
            raise ValueError("money moves from or to an account")
    return (command, *(part for one in inside for part in _parts(one)))
