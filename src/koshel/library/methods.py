"""What can be asked of a ledger: one method for each request, which builds its command and shows what came of it."""

from collections.abc import Sequence
from typing import Unpack

from msgspec import UNSET, UnsetType

from koshel.asking.requests import Strings
from koshel.core.commands import Status
from koshel.core.labelled import MetadataPatch
from koshel.inputs.labels import GivenLabels
from koshel.inputs.limits_by_time import GivenLimit
from koshel.inputs.moments import Moment
from koshel.inputs.texts import AccountRef
from koshel.inputs.values import Money
from koshel.library import results
from koshel.library.group_methods import GroupMethods
from koshel.library.results import Account, Hold, Transaction


class Methods(GroupMethods):
    """The requests of a ledger; who inherits them says where commands go.

    An account is asked for by its id, or by "@" and its name: 42, or "@users:42".
    Amounts are exact: a Decimal, a str or an int, of at most as many decimals as are kept; they are rounded half-even
    to the currency's. `metadata` are notes of the caller's own. A `key` is an idempotency key: the same one gives the
    same answer for ever. Each method returns when its effect is durable. Each raises Misuse for what can never be
    right, before anything is sent; Refused; Unavailable, Conflict or OutcomeUnknown. Those that make a transaction
    raise Promised too, if the key was that of a queued transaction.
    """

    async def open_account(
        self,
        email: str,
        *,
        currency: str | UnsetType = UNSET,
        min_balance: Money = 0,
        max_balance: Money | UnsetType | None = UNSET,
        metadata: Strings | None = None,
        name: str | None = None,
        limits: Sequence[GivenLimit] | None = None,
        key: str | None = None,
    ) -> Account:
        """A new account, without money. `currency` and `max_balance` are those of the settings if they are left out.

        A `min_balance` below zero is a line of credit; a `max_balance` of None is no limit. A `name` is the caller's
        own, 1 to 100 characters A-Z, a-z, 0-9, _, ., : and -. No other account of the ledger ever has it.

        `limits` are those by time:
        of {"per": "1d", "out": "500.00", "in": "2000.00"} one for each length, "1h", "1d", "7d", "30d" or "365d".
        """
        command = self.requests.open_account(
            email,
            currency=currency,
            min_balance=min_balance,
            max_balance=max_balance,
            metadata=metadata,
            name=name,
            limits=limits,
            key=key,
        )
        return results.account_of(await self._settle(command))

    async def ensure_account(
        self,
        name: str,
        *,
        email: str,
        currency: str | UnsetType = UNSET,
        min_balance: Money | UnsetType = UNSET,
        max_balance: Money | UnsetType | None = UNSET,
        metadata: Strings | UnsetType = UNSET,
        limits: Sequence[GivenLimit] | UnsetType | None = UNSET,
    ) -> Account:
        """The account of this name as it stands, opened now if there is none. Called again, it does nothing more.

        Raises Refused, `name-taken`, if the account has otherwise what is given here; what is left out may be anything.
        """
        command = self.requests.ensure_account(
            name,
            email=email,
            currency=currency,
            min_balance=min_balance,
            max_balance=max_balance,
            metadata=metadata,
            limits=limits,
        )
        return results.account_of(await self._settle(command))

    async def change_account(
        self,
        account: AccountRef,
        *,
        email: str | UnsetType = UNSET,
        min_balance: Money | UnsetType = UNSET,
        max_balance: Money | UnsetType | None = UNSET,
        status: Status | str | UnsetType = UNSET,
        metadata: Strings | UnsetType = UNSET,
        metadata_patch: MetadataPatch | UnsetType = UNSET,
        expected: Sequence[tuple[int, int]] | None = None,
        unexpected: Sequence[tuple[int, int]] | None = (),
        limits: Sequence[GivenLimit] | UnsetType | None = UNSET,
        key: str | None = None,
    ) -> Account:
        """Change what is given of an account. `status` is "open", "frozen" or, for ever, "closed".

        `limits` replace those by time that are there; None or none of them takes those away.
        `metadata` replaces what is there, `metadata_patch` is merged into it: None removes an entry.
        `expected`: the (version, revision)s that it may be at, `unexpected`: those that it may not; None: any.
        """
        command = self.requests.change_account(
            account,
            email=email,
            min_balance=min_balance,
            max_balance=max_balance,
            status=status,
            metadata=metadata,
            metadata_patch=metadata_patch,
            expected=expected,
            unexpected=unexpected,
            limits=limits,
            key=key,
        )
        return results.account_of(await self._settle(command))

    async def pay(
        self, account: AccountRef, *, amount: Money, key: str | None = None, **labels: Unpack[GivenLabels]
    ) -> Transaction:
        """Money into an account, from outside.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        command = self.requests.payment(account, amount=amount, key=key, **labels)
        return results.transaction_of(await self._settle(command))

    async def withdraw(
        self, account: AccountRef, *, amount: Money, key: str | None = None, **labels: Unpack[GivenLabels]
    ) -> Transaction:
        """Money out of an account, to outside.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        command = self.requests.withdrawal(account, amount=amount, key=key, **labels)
        return results.transaction_of(await self._settle(command))

    async def transfer(
        self,
        *,
        source: AccountRef,
        target: AccountRef,
        amount: Money,
        key: str | None = None,
        **labels: Unpack[GivenLabels],
    ) -> Transaction:
        """Money from the account `source` to the account `target`.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        command = self.requests.transfer(source=source, target=target, amount=amount, key=key, **labels)
        return results.transaction_of(await self._settle(command))

    async def hold(
        self,
        *,
        source: AccountRef,
        target: AccountRef | None,
        amount: Money,
        expires_in: int | UnsetType = UNSET,
        capture_at: Moment | UnsetType = UNSET,
        key: str | None = None,
        **labels: Unpack[GivenLabels],
    ) -> Hold:
        """Money reserved on `source` for `target`, for `expires_in` seconds. A target of None is a withdrawal.

        `capture_at`: when the background captures all of it, if it is still open; that must be before it expires.
        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        command = self.requests.hold(
            source=source,
            target=target,
            amount=amount,
            expires_in=expires_in,
            capture_at=capture_at,
            key=key,
            **labels,
        )
        return results.hold_of(await self._settle(command))

    async def capture(
        self,
        hold_id: int,
        *,
        amount: Money | None = None,
        final: bool = True,
        key: str | None = None,
        **labels: Unpack[GivenLabels],
    ) -> Transaction:
        """A hold's money where it was meant for: `amount`, or all. Unless `final`, the rest stays reserved.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        command = self.requests.capture(hold_id, amount=amount, final=final, key=key, **labels)
        return results.transaction_of(await self._settle(command))

    async def void(self, hold_id: int, *, key: str | None = None, **labels: Unpack[GivenLabels]) -> Transaction:
        """All that a hold still reserves is free again.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        return results.transaction_of(await self._settle(self.requests.void(hold_id, key=key, **labels)))

    async def refund(
        self,
        transaction_id: int,
        *,
        amount: Money | None = None,
        key: str | None = None,
        **labels: Unpack[GivenLabels],
    ) -> Transaction:
        """Money of a payment, withdrawal, transfer or capture back the way it came: `amount`, or all that is left.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        command = self.requests.refund(transaction_id, amount=amount, key=key, **labels)
        return results.transaction_of(await self._settle(command))
