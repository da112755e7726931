"""The commands of callers: HTTP and the library build them here."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Unpack

from msgspec import UNSET, UnsetType

from koshel.asking.group_requests import GroupRequests
from koshel.core.commands import (
    Capture,
    ChangeAccount,
    EnsureAccount,
    Hold,
    Kind,
    Move,
    OpenAccount,
    Refund,
    Status,
    Void,
)
from koshel.core.labelled import MetadataPatch
from koshel.inputs import limits_by_time, values
from koshel.inputs.labels import GivenLabels, given
from koshel.inputs.moments import Moment, moment
from koshel.inputs.texts import OUTSIDE, AccountRef, Asked, GivenAccount, asked
from koshel.inputs.values import Given, Invalid

Strings = Mapping[str, str]


class Requests(GroupRequests):
    """The commands of one ledger. Amounts are exact: Decimal, str or int, never float.

    An account is asked for by its id, or by "@" and its name: 42, or "@users:42".
    Each method raises Invalid for a value that can never be right, such as an amount that is not more than zero.
    """

    def open_account(
        self,
        email: str,
        *,
        currency: str | UnsetType = UNSET,
        min_balance: Given = 0,
        max_balance: Given | UnsetType | None = UNSET,
        metadata: Strings | None = None,
        name: str | None = None,
        limits: Sequence[limits_by_time.GivenLimit] | None = None,
        key: str | None = None,
    ) -> OpenAccount:
        """A new account, without money, and with a `name`, if it is to have one; the settings have the defaults."""
        return OpenAccount(
            self.ledger_id,
            values.email(email),
            currency,
            values.floor(min_balance),
            UNSET if max_balance is UNSET else values.ceiling(max_balance),
            metadata or {},
            key,
            self.terms.currency,
            self.terms.max_balance,
            name,
            limits=limits_by_time.limits(limits),
        )

    def ensure_account(
        self,
        name: str,
        *,
        email: str,
        currency: str | UnsetType = UNSET,
        min_balance: Given | UnsetType = UNSET,
        max_balance: Given | UnsetType | None = UNSET,
        metadata: Strings | UnsetType = UNSET,
        limits: Sequence[limits_by_time.GivenLimit] | UnsetType | None = UNSET,
    ) -> EnsureAccount:
        """A new account of this name, unless there is one as it is asked for; what is left out may be anything."""
        values.fields({"name": name or ""})  # a program may give None, which an opening may have
        return EnsureAccount(
            self.ledger_id,
            name,
            values.email(email),
            currency,
            UNSET if min_balance is UNSET else values.floor(min_balance),
            UNSET if max_balance is UNSET else values.ceiling(max_balance),
            metadata,
            self.terms.currency,
            self.terms.max_balance,
            limits=UNSET if limits is UNSET else limits_by_time.limits(limits),
        )

    def change_account(
        self,
        account: GivenAccount,
        *,
        email: str | UnsetType = UNSET,
        min_balance: Given | UnsetType = UNSET,
        max_balance: Given | UnsetType | None = UNSET,
        status: Status | str | UnsetType = UNSET,
        metadata: Strings | UnsetType = UNSET,
        metadata_patch: MetadataPatch | UnsetType = UNSET,
        expected: Sequence[tuple[int, int]] | None = None,
        unexpected: Sequence[tuple[int, int]] | None = (),
        limits: Sequence[limits_by_time.GivenLimit] | UnsetType | None = UNSET,
        key: str | None = None,
    ) -> ChangeAccount:
        """A change of those fields of an account that are given.

        `metadata` replaces what is there, `metadata_patch` is merged into it: None removes an entry.
        `expected`: the (version, revision)s that it may be at; `unexpected`: those that it may not.
        """
        if metadata is not UNSET and metadata_patch is not UNSET:
            raise Invalid("metadata_patch", "does not go with metadata")
        account_id, name = asked(account, "account")
        return ChangeAccount(
            self.ledger_id,
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
            name,
            limits=UNSET if limits is UNSET else limits_by_time.limits(limits),
        )

    def payment(
        self, account: AccountRef, *, amount: Given, key: str | None = None, **labels: Unpack[GivenLabels]
    ) -> Move:
        """Money in, from outside.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        into, wanted = asked(account, "account"), values.amount(amount)
        return self.move(Kind.PAYMENT, None, into, wanted, given(labels), key=key)

    def withdrawal(
        self, account: AccountRef, *, amount: Given, key: str | None = None, **labels: Unpack[GivenLabels]
    ) -> Move:
        """Money out, to outside.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        out_of, wanted = asked(account, "account"), values.amount(amount)
        return self.move(Kind.WITHDRAWAL, out_of, None, wanted, given(labels), key=key)

    def transfer(
        self,
        *,
        source: AccountRef,
        target: AccountRef,
        amount: Given,
        key: str | None = None,
        **labels: Unpack[GivenLabels],
    ) -> Move:
        """Money across, from one account to another.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        sides, wanted = (asked(source, "source"), asked(target, "target")), values.amount(amount)
        return self.move(Kind.TRANSFER, *sides, wanted, given(labels), key=key)

    def move(
        self,
        kind: Kind,
        source: Asked | None,
        target: Asked | None,
        amount: Decimal,
        labels: Mapping[str, Any],
        *,
        key: str | None,
    ) -> Move:
        """Any of the three, of an amount that `values.amount` has passed, with its labels by name."""
        (source_id, source_name), (target_id, target_name) = source or OUTSIDE, target or OUTSIDE
        return Move(self.ledger_id, kind, source_id, target_id, amount, key, source_name, target_name, **labels)

    def hold(
        self,
        *,
        source: GivenAccount,
        target: GivenAccount | None,
        amount: Given,
        expires_in: int | UnsetType = UNSET,
        capture_at: Moment | UnsetType = UNSET,
        key: str | None = None,
        **labels: Unpack[GivenLabels],
    ) -> Hold:
        """Money reserved, for `expires_in` seconds; without a target it is for a withdrawal.

        `capture_at`: when the background captures it, if it is still open; before it expires.
        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        wanted, terms = values.amount(amount), self.terms
        lasts = UNSET if expires_in is UNSET else values.lifetime(expires_in, terms.hold_lifetime_max_s)
        source_id, source_name = asked(source, "source")
        target_id, target_name = OUTSIDE if target is None else asked(target, "target")
        names, lifetime_s = (source_name, target_name), terms.hold_lifetime_s
        told = self.ledger_id, source_id, target_id, wanted, lasts, key, lifetime_s, *names
        captured = UNSET if capture_at is UNSET else moment(capture_at, "capture_at")
        return Hold(*told, captured, **given(labels))

    def capture(
        self,
        hold_id: int,
        *,
        amount: Given | None = None,
        final: bool = True,
        key: str | None = None,
        **labels: Unpack[GivenLabels],
    ) -> Capture:
        """A hold's money moved to its target: `amount`, or all of it. Unless it is final, the rest stays reserved.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        wanted = None if amount is None else values.amount(amount)
        return Capture(self.ledger_id, hold_id, wanted, final, key, **given(labels))

    def void(self, hold_id: int, *, key: str | None = None, **labels: Unpack[GivenLabels]) -> Void:
        """Release all that a hold still reserves.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        return Void(self.ledger_id, hold_id, key, **given(labels))

    def refund(
        self,
        transaction_id: int,
        *,
        amount: Given | None = None,
        key: str | None = None,
        **labels: Unpack[GivenLabels],
    ) -> Refund:
        """Money back the way it came: `amount`, or all that is left of it.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        wanted = None if amount is None else values.amount(amount)
        return Refund(self.ledger_id, transaction_id, wanted, key, **given(labels))
