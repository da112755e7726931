"""The refusals, each with the facts that explain it to its caller."""

from decimal import Decimal

from msgspec.structs import replace

from koshel.core.book import available, limit
from koshel.core.commands import (
    AutoCapture,
    Capture,
    ChangeAccount,
    Command,
    Group,
    HoldEnd,
    Opening,
    Refund,
    Sided,
    Split,
)
from koshel.core.ending import EndSplit
from koshel.core.exchanging import Exchange
from koshel.core.model import Account, Book, Declined, Refusal
from koshel.core.money import minus, plain
from koshel.core.notes import Annotate
from koshel.core.originals import Original, Pending


def key_reused(command: Command, field: str) -> Declined:
    """The command's key stands for another request, which differs in `field`."""
    return Declined(command, Refusal.IDEMPOTENCY_KEY_REUSED, {"field": field})


def transaction_not_found(command: HoldEnd | Refund | Annotate) -> Declined:
    """What the command refers to is not there."""
    wanted = command.transaction_id if isinstance(command, Annotate) else command.parent_id
    return Declined(command, Refusal.TRANSACTION_NOT_FOUND, {"transaction_id": wanted})


def not_posted(command: Annotate, pending: Pending) -> Declined:
    """What is to be annotated is `queued`, `declined` or `cancelled`."""
    return Declined(command, Refusal.NOT_POSTED, {"transaction_id": command.transaction_id, "status": pending.status})


def not_a_hold(command: HoldEnd, original: Original | Pending) -> Declined:
    """What is to be captured or voided is something else, whether it is posted or not."""
    return Declined(command, Refusal.NOT_A_HOLD, {"transaction_id": command.parent_id, "kind": original.kind})


def not_refundable(command: Refund, original: Original | Pending) -> Declined:
    """What is to be refunded has moved no money: by its kind, or since it is `queued`, `declined` or `cancelled`."""
    facts: dict[str, str | int] = {"transaction_id": command.parent_id, "kind": original.kind}
    if isinstance(original, Pending):
        facts["status"] = original.status
    return Declined(command, Refusal.NOT_REFUNDABLE, facts)


def same_account(book: Book, command: Sided | Split, account_id: int | None, name: str | None) -> Declined:
    """Source equals target; `name`: by which it was asked for. The id of an account that is not opened is not told."""
    assert account_id is not None
    is_told = name is None or account_id in book.state.accounts
    facts: dict[str, str | int] = {"account_id": account_id} if is_told else {}
    return Declined(command, Refusal.SAME_ACCOUNT, facts if name is None else facts | {"name": name})


def account_not_found(command: Sided | ChangeAccount, what: str) -> Declined:
    """`what` is missing: `source`, `target` or `account`. The facts say the field that has asked for it."""
    field = f"{what}_account_id" if what != "account" else "account_id"
    if getattr(command, what) is not None:
        field = what
    id_ = getattr(command, "account_id" if what == "account" else f"{what}_account_id")
    return Declined(command, Refusal.ACCOUNT_NOT_FOUND, asked(id_, getattr(command, what)) | {"field": field})


def name_taken(command: Opening | Exchange, account: Account, field: str) -> Declined:
    """Another account has the name; or the one that was asked for has another `field` than was asked."""
    return Declined(command, Refusal.NAME_TAKEN, of_account(account) | {"field": field})


def of_account(account: Account) -> dict[str, str | int]:
    """Which account it is."""
    facts: dict[str, str | int] = {"account_id": account.id}
    return facts if account.name is None else facts | {"name": account.name}


def asked(account_id: int, name: str | None) -> dict[str, str | int]:
    """Which account was asked for and is not there: by name it has no id, or one for an opening that was refused."""
    return {"account_id": account_id} if name is None else {"name": name}


def currency_mismatch(command: Command, source: Account, target: Account) -> Declined:
    """The two accounts differ in currency."""
    facts = {"source_currency": source.currency, "target_currency": target.currency}
    return Declined(command, Refusal.CURRENCY_MISMATCH, facts)


def same_currency(command: Command, source: Account) -> Declined:
    """There is nothing to exchange."""
    return Declined(command, Refusal.SAME_CURRENCY, {"currency": source.currency})


def amount_out_of_range(command: Command, account: Account, amount: Decimal, field: str = "amount") -> Declined:
    """Rounded to the currency's smallest unit it is nothing, or has a digit too many. `field`: which amount."""
    facts: dict[str, str | int] = {"currency": account.currency, "scale": account.scale, "amount": plain(amount)}
    if field != "amount":
        facts["field"] = field
    return Declined(command, Refusal.AMOUNT_OUT_OF_RANGE, facts)


def hold_not_open(command: HoldEnd, status: str) -> Declined:
    """The hold has ended, or has not begun."""
    facts: dict[str, str | int] = {"transaction_id": command.parent_id, "status": status}
    return Declined(command, Refusal.HOLD_NOT_OPEN, facts)


def version_mismatch(command: ChangeAccount, account: Account) -> Declined:
    """The account is not as the caller knows it."""
    facts = of_account(account) | {"version": account.version, "revision": account.revision}
    return Declined(command, Refusal.VERSION_MISMATCH, facts)


def account_closed(command: Command, account: Account) -> Declined:
    """The account is closed, for ever."""
    return Declined(command, Refusal.ACCOUNT_CLOSED, of_account(account))


def account_frozen(command: Command, account: Account) -> Declined:
    """The account lets no money in or out."""
    return Declined(command, Refusal.ACCOUNT_FROZEN, of_account(account))


def account_not_empty(command: ChangeAccount, account: Account) -> Declined:
    """Only an account without money and without holds can be closed."""
    facts = of_account(account) | {
        "currency": account.currency,
        "balance": plain(account.balance),
        "held": plain(account.held),
    }
    return Declined(command, Refusal.ACCOUNT_NOT_EMPTY, facts)


def metadata_too_large(command: ChangeAccount | Annotate, entries: int) -> Declined:
    """The patch would leave more entries than there may be."""
    whose = {} if isinstance(command, Annotate) else {"account_id": command.account_id}
    return Declined(command, Refusal.METADATA_TOO_LARGE, {**whose, "entries": entries})


def capture_exceeds_hold(
    command: Capture | AutoCapture, original: Original, held: Decimal, required: Decimal
) -> Declined:
    """More than the hold still reserves."""
    facts: dict[str, str | int] = {
        "transaction_id": command.parent_id,
        "currency": original.currency,
        "held": plain(held),
        "required": plain(required),
    }
    return Declined(command, Refusal.CAPTURE_EXCEEDS_HOLD, facts)


def refund_exceeds_original(command: Refund, original: Original, left: Decimal, required: Decimal) -> Declined:
    """More than is left of the original."""
    facts: dict[str, str | int] = {
        "transaction_id": command.parent_id,
        "currency": original.currency,
        "amount": plain(original.amount),
        "refunded": plain(minus(original.amount, left)),
        "required": plain(required),
    }
    return Declined(command, Refusal.REFUND_EXCEEDS_ORIGINAL, facts)


def insufficient_funds(command: Command, source: Account, required: Decimal) -> Declined:
    """The source cannot spend that much."""
    facts = of_account(source) | {
        "currency": source.currency,
        "available": plain(available(source)),
        "required": plain(required),
    }
    return Declined(command, Refusal.INSUFFICIENT_FUNDS, facts)


def floor_too_high(command: ChangeAccount, account: Account, min_balance: Decimal) -> Declined:
    """The account already has less than its new floor, its holds aside."""
    facts = of_account(account) | {
        "currency": account.currency,
        "balance": plain(account.balance),
        "held": plain(account.held),
        "min_balance": plain(min_balance),
    }
    return Declined(command, Refusal.INSUFFICIENT_FUNDS, facts)


def balance_limit_exceeded(command: Command, target: Account, amount: Decimal) -> Declined:
    """The target would pass its maximum."""
    facts = of_account(target) | {
        "currency": target.currency,
        "balance": plain(target.balance),
        "max_balance": plain(limit(target)),
        "amount": plain(amount),
    }
    return Declined(command, Refusal.BALANCE_LIMIT_EXCEEDED, facts)


def ceiling_too_low(command: ChangeAccount, account: Account, max_balance: Decimal) -> Declined:
    """The account already has more than its new maximum."""
    facts = of_account(account) | {
        "currency": account.currency,
        "balance": plain(account.balance),
        "max_balance": plain(max_balance),
    }
    return Declined(command, Refusal.BALANCE_LIMIT_EXCEEDED, facts)


def not_opened(refusal: Declined) -> Declined:
    """The refusal, without the id of an account that is not opened after all: only its name is told."""
    return replace(refusal, facts={name: fact for name, fact in refusal.facts.items() if name != "account_id"})


def batch_refused(command: Group | EndSplit, index: int, cause: Declined) -> Declined:
    """A member of an atomic batch, or the end of a hold of a split, was refused, so nothing at all was done."""
    return Declined(command, Refusal.BATCH_REFUSED, {"index": index}, cause)
