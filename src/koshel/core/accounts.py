"""Opening an account, and changing it: its limits, its status, and whose it is."""

from datetime import datetime
from decimal import Decimal

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict

from koshel.core import declined, limits
from koshel.core.commands import ERASED, ChangeAccount, EnsureAccount, OpenAccount, Opening, Status
from koshel.core.labelled import METADATA_MAX
from koshel.core.model import Account, AccountDetails, Book, Changed, Declined, Found, Opened, Refusal
from koshel.core.money import ZEROS, minus, rounded_limit
from koshel.core.notes import changed
from koshel.core.turnovers import Limit


def currency_of(command: Opening) -> str:
    """The currency asked for, or the default."""
    return command.default_currency if command.currency is UNSET else command.currency


def open_account(book: Book, command: Opening) -> Opened | Found | Declined:
    """An account without money, if its currency is known, and its name, if it is to have one, is no other account's."""
    currency = currency_of(command)
    scale = book.facts.scales.get(currency)
    if scale is None:
        return Declined(command, Refusal.UNKNOWN_CURRENCY, {"currency": currency})
    named = _named(book, command)
    if named is not None:
        if isinstance(command, OpenAccount):
            return declined.name_taken(command, named, "name")
        field = _first_difference(command, named)
        return Found(command, named) if field is None else declined.name_taken(command, named, field)
    # No refusal below this line.
    return new_account(command, currency, scale, book.facts.now)


def new_account(command: Opening, currency: str, scale: int, now: datetime) -> Opened:
    """The account that is asked for, without money."""
    limit = command.default_max_balance if command.max_balance is UNSET else command.max_balance
    account = AccountDetails(
        ledger_id=command.ledger_id,
        id=command.id,
        currency=currency,
        scale=scale,
        balance=ZEROS[scale],
        held=ZEROS[scale],
        version=0,
        revision=0,
        min_balance=rounded_limit(Decimal(0) if command.min_balance is UNSET else command.min_balance, scale),
        max_balance=None if limit is None else rounded_limit(limit, scale),
        status=Status.OPEN,
        email=command.email,
        metadata={} if command.metadata is UNSET else command.metadata,
        ctime=now,
        name=command.name,
        limits=() if command.limits is UNSET else limits.rounded(command.limits, scale),
    )
    return Opened(command, account)


def _named(book: Book, command: Opening) -> AccountDetails | None:
    """The account that has the name already, as it stands now."""
    details = book.state.details.get(command.id)
    if details is None or details.ledger_id != command.ledger_id:
        return None
    now = book.state.accounts.get(command.id)
    return details if now is None else AccountDetails(**asdict(details) | asdict(now))


def _first_difference(command: EnsureAccount, account: AccountDetails) -> str | None:
    """The first field that the account has otherwise than it is asked for; None if it is as it is asked for."""
    asked = {
        "email": command.email,
        "currency": command.currency,
        "min_balance": _rounded(command.min_balance, account),
        "max_balance": _rounded(command.max_balance, account),
        "metadata": command.metadata,
        "limits": _in_its_order(command.limits, account),
    }
    if account.email == ERASED:  # nobody knows any more what these were
        asked["email"] = asked["metadata"] = UNSET
    return next((name for name, value in asked.items() if value is not UNSET and value != getattr(account, name)), None)


def _in_its_order(asked: tuple[Limit, ...] | UnsetType, account: AccountDetails) -> tuple[Limit, ...] | UnsetType:
    """Limits by time, which mean the same in any order."""
    if asked is UNSET:
        return UNSET
    wanted = limits.rounded(asked, account.scale)
    return account.limits if set(wanted) == set(account.limits) else wanted


def _rounded(limit: Decimal | UnsetType | None, account: Account) -> Decimal | UnsetType | None:
    return rounded_limit(limit, account.scale) if isinstance(limit, Decimal) else limit


def change_account(book: Book, command: ChangeAccount) -> Changed | Declined:
    """An account with other limits, another status or other details, if its money allows them."""
    account = book.state.accounts.get(command.account_id)
    if account is None or account.ledger_id != command.ledger_id:
        return declined.account_not_found(command, "account")
    if command.expected is not None and (account.version, account.revision) not in command.expected:
        return declined.version_mismatch(command, account)
    if command.unexpected is None or (account.version, account.revision) in command.unexpected:
        return declined.version_mismatch(command, account)
    if account.status == Status.CLOSED:
        return declined.account_closed(command, account)
    if command.status is Status.CLOSED and (account.balance or account.held):
        return declined.account_not_empty(command, account)
    details = book.state.details[command.account_id]
    metadata = changed(details.metadata, command.metadata, command.metadata_patch)
    if len(metadata) > METADATA_MAX:
        return declined.metadata_too_large(command, len(metadata))
    min_balance = _limit(command.min_balance, account.min_balance, account)
    max_balance = _limit(command.max_balance, account.max_balance, account)
    assert min_balance is not None
    spare = minus(account.balance, account.held)
    if spare < min_balance:
        return declined.floor_too_high(command, account, min_balance)
    if max_balance is not None and account.balance > max_balance:
        return declined.ceiling_too_low(command, account, max_balance)
    # No refusal below this line.
    fields = asdict(account) | {
        "revision": account.revision + 1,
        "min_balance": min_balance,
        "max_balance": max_balance,
        "status": account.status if command.status is UNSET else command.status,
        "email": details.email if command.email is UNSET else command.email,
        "metadata": metadata,
        "ctime": details.ctime,
        "limits": details.limits if command.limits is UNSET else limits.rounded(command.limits, account.scale),
    }
    return Changed(command, AccountDetails(**fields))


def _limit(asked: Decimal | UnsetType | None, now: Decimal | None, account: Account) -> Decimal | None:
    rounded = _rounded(asked, account)
    return now if rounded is UNSET else rounded
