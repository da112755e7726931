"""How a refusal of the core becomes a problem document."""

from collections.abc import Callable, Mapping

from koshel.core.commands import ChangeAccount, Hold, Kind, Move, OpenAccount, Split
from koshel.core.ending import EndSplit
from koshel.core.exchanging import Exchange
from koshel.core.labelled import METADATA_MAX
from koshel.core.model import Declined, Refusal
from koshel.http.preconditions import tag
from koshel.http.problems import Failure, account_not_found, transaction_not_found, validation_failed
from koshel.http.sent_as import sent_as
from koshel.inputs.texts import unknown_currency


def refused(declined: Declined, at: str = "") -> Failure:
    """The problem of a refusal; `at` is the JSON pointer of a batch's member, if it is one's."""
    is_inside = at and isinstance(declined.command, Exchange)
    return _REFUSED[declined.refusal](declined, declined.facts, f"{at}/exchange" if is_inside else at)


Facts = Mapping[str, str | int]


def _idempotency_key_reused(declined: Declined, facts: Facts, at: str) -> Failure:
    field = str(facts["field"])
    if field != "kind":  # which is no field, but says that the first request was one of another route
        member = "/".join(at.split("/")[1:3])  # without `exchange`: not all fields of an exchange are in there
        sent = sent_as(declined.command, field, is_member=bool(at))
        field = f"{member}/{sent}" if member else sent
    return Failure("idempotency-key-reused", f"This key came first with another request; {field} differs.", field=field)


def _unknown_currency(_: Declined, facts: Facts, __: str) -> Failure:
    return Failure("unknown-currency", f"{unknown_currency(str(facts['currency']))}.", **facts)


def _transaction_not_found(declined: Declined, facts: Facts, at: str) -> Failure:
    # In the path, except for a batch's members.
    pointer = {"pointer": f"{at}/{sent_as(declined.command, 'parent_id', is_member=True)}"} if at else {}
    return transaction_not_found(facts["transaction_id"], **pointer)


def _not_a_hold(_: Declined, facts: Facts, __: str) -> Failure:
    detail = f"Transaction {facts['transaction_id']} is {_article(facts['kind'])}, not a hold."
    return Failure("not-a-hold", detail, **facts)


def _not_refundable(_: Declined, facts: Facts, __: str) -> Failure:
    kind = str(facts["kind"])
    # A refusal that an earlier version has kept says the status as the kind, and is answered as it was then.
    what = facts.get("status") or (_article(kind) if kind in set(Kind) else kind)
    detail = f"Transaction {facts['transaction_id']} cannot be refunded: it is {what}."
    return Failure("not-refundable", detail, **_with_status(facts, "transaction_status"))


def _not_posted(_: Declined, facts: Facts, __: str) -> Failure:
    detail = f"Transaction {facts['transaction_id']} is {facts['status']}: only a posted transaction takes notes."
    return Failure("not-posted", detail, **_with_status(facts, "transaction_status"))


def _article(kind: str | int) -> str:
    return f"{'an' if kind == Kind.EXPIRY else 'a'} {kind}"


def _with_status(facts: Facts, name: str) -> Facts:
    """The facts, with the status, if there is one, by another name: `status` is the problem's own."""
    return {name if fact == "status" else fact: value for fact, value in facts.items()}


def _one(facts: Facts) -> str:
    """An account: by its name, if it has no id, since it is not opened after all."""
    return f"Account {facts['account_id']}" if "account_id" in facts else f"Account @{facts['name']}"


def _name_taken(declined: Declined, facts: Facts, __: str) -> Failure:
    if "account_id" not in facts:
        detail = f"An earlier member of the batch opens the name {facts['name']}, with another {facts['field']}."
        return Failure("name-taken", detail, **facts)
    one = f"Account {facts['account_id']} has the name {facts['name']}"
    if isinstance(declined.command, OpenAccount):
        return Failure("name-taken", f"{one} already.", **facts)
    return Failure("name-taken", f"{one} already, with another {facts['field']} than the request has.", **facts)


def _same_account(_: Declined, facts: Facts, __: str) -> Failure:
    return Failure("same-account", f"{_one(facts)} is both source and target.", **facts)


def _account_not_found(declined: Declined, facts: Facts, at: str) -> Failure:
    # A transfer, a hold, a split and a batch's members name their accounts in the body, the others theirs in the path.
    command = declined.command
    is_transfer = isinstance(command, Move) and command.kind is Kind.TRANSFER
    in_body = at or is_transfer or isinstance(command, Hold | Split | Exchange)
    wanted = facts["name"] if "name" in facts else facts["account_id"]
    return account_not_found(wanted, **({"pointer": f"{at}/{facts['field']}"} if in_body else {}))


def _currency_mismatch(_: Declined, facts: Facts, __: str) -> Failure:
    detail = f"The source is in {facts['source_currency']}, the target in {facts['target_currency']}."
    return Failure("currency-mismatch", detail, **facts)


def _same_currency(_: Declined, facts: Facts, __: str) -> Failure:
    return Failure("same-currency", f"Both accounts are in {facts['currency']}: there is nothing to exchange.", **facts)


def _amount_out_of_range(_: Declined, facts: Facts, at: str) -> Failure:
    detail = f"rounds to {facts['amount']} at the {facts['scale']} decimals of {facts['currency']}"
    return validation_failed(f"{at}/{facts.get('field', 'amount')}", detail)


def _split_not_exact(refused: Declined, facts: Facts, at: str) -> Failure:
    field = "sources" if getattr(refused.command, "sources", ()) else "targets"
    each = f"{facts['scale']} decimals of {facts['currency']}"
    detail = f"do not add up to {facts['amount']} once each amount is rounded to the {each}"
    return validation_failed(f"{at}/{field}", detail)


def _time_out_of_range(_: Declined, facts: Facts, at: str) -> Failure:
    field, latest = facts["field"], facts["latest"]
    if field == "capture_at":
        return validation_failed(f"{at}/hold/capture_at", f"must be before the hold expires, at {latest}")
    return validation_failed(f"{at}/{field}", f"must not be later than {latest}")


def _hold_not_open(_: Declined, facts: Facts, __: str) -> Failure:
    detail = f"Hold {facts['transaction_id']} is {facts['status']}."
    return Failure("hold-not-open", detail, **_with_status(facts, "hold_status"))


def _hold_expired(_: Declined, facts: Facts, __: str) -> Failure:
    return Failure("hold-expired", f"Hold {facts['transaction_id']} expired at {facts['expires_at']}.", **facts)


def _version_mismatch(declined: Declined, facts: Facts, __: str) -> Failure:
    is_at = int(facts["version"]), int(facts["revision"])
    command, etag = declined.command, tag(*is_at)
    assert isinstance(command, ChangeAccount)
    expected = command.expected is None or is_at in command.expected
    rest = "If-None-Match rules that out" if expected else "read it again"
    detail = f"Account {facts['account_id']} is at {etag}; {rest}."
    members = {name: fact for name, fact in facts.items() if name != "revision"}
    return Failure("version-mismatch", detail, {"ETag": etag}, **members, etag=etag)


def _account_closed(_: Declined, facts: Facts, __: str) -> Failure:
    return Failure("account-closed", f"Account {facts['account_id']} is closed.", **facts)


def _account_frozen(_: Declined, facts: Facts, __: str) -> Failure:
    return Failure("account-frozen", f"Account {facts['account_id']} is frozen: no money goes in or out.", **facts)


def _account_not_empty(_: Declined, facts: Facts, __: str) -> Failure:
    detail = f"Account {facts['account_id']} has {facts['balance']} {facts['currency']}, {facts['held']} of it held."
    return Failure("account-not-empty", detail, **facts)


def _metadata_too_large(_: Declined, facts: Facts, __: str) -> Failure:
    detail = f"would have {facts['entries']} entries, and may have at most {METADATA_MAX}"
    return validation_failed("/metadata", detail)


def _capture_exceeds_hold(_: Declined, facts: Facts, __: str) -> Failure:
    held, required = (f"{facts[name]} {facts['currency']}" for name in ("held", "required"))
    detail = f"Hold {facts['transaction_id']} reserves {held}, {required} is asked for."
    return Failure("capture-exceeds-hold", detail, **facts)


def _refund_exceeds_original(_: Declined, facts: Facts, __: str) -> Failure:
    detail = (
        f"Transaction {facts['transaction_id']} was {facts['amount']} {facts['currency']}, "
        f"{facts['refunded']} of it is refunded already."
    )
    return Failure("refund-exceeds-original", detail, **facts)


def _insufficient_funds(declined: Declined, facts: Facts, _: str) -> Failure:
    if isinstance(declined.command, ChangeAccount):
        detail = (
            f"Account {facts['account_id']} has {facts['balance']} {facts['currency']}, {facts['held']} of it held: "
            f"less than the {facts['min_balance']} that is to be its min_balance."
        )
        return Failure("insufficient-funds", detail, **facts)
    available, required = (f"{facts[name]} {facts['currency']}" for name in ("available", "required"))
    if "missing" in facts:
        missing = f"{facts['missing']} {facts['currency']}"
        detail = f"The sources can give {available} together, {required} is needed: {missing} is missing."
        return Failure("insufficient-funds", detail, **facts)
    detail = f"{_one(facts)} can spend {available}, {required} is needed."
    return Failure("insufficient-funds", detail, **facts)


def _balance_limit_exceeded(_: Declined, facts: Facts, __: str) -> Failure:
    most = f"{facts['max_balance']} {facts['currency']}"
    rest = f"; {facts['amount']} more would pass that." if "amount" in facts else " then."
    detail = f"{_one(facts)} has {facts['balance']} and may have at most {most}{rest}"
    return Failure("balance-limit-exceeded", detail, **facts)


def _limit_exceeded(_: Declined, facts: Facts, __: str) -> Failure:
    may = "send" if facts["direction"] == "out" else "take"
    when = f"it fits from {facts['fits_at']} on" if "fits_at" in facts else "waiting alone does not make it fit"
    detail = (
        f"{_one(facts)} may {may} {facts['limit']} {facts['currency']} in any {facts['per']}: "
        f"{facts['left']} of that is left, {facts['amount']} is asked for; {when}."
    )
    return Failure("limit-exceeded", detail, **facts)


def _batch_refused(declined: Declined, facts: Facts, _: str) -> Failure:
    assert declined.cause is not None
    index = facts["index"]
    is_end = isinstance(declined.command, EndSplit)  # no member of a body: nothing there to point at
    cause = refused(declined.cause, "" if is_end else f"/transactions/{index}").content()
    detail = f"Nothing was done, since {'hold' if is_end else 'member'} {index} was refused: {cause['detail']}"
    return Failure("batch-refused", detail, cause=cause, **facts)


_REFUSED: Mapping[Refusal, Callable[[Declined, Facts, str], Failure]] = {
    Refusal.IDEMPOTENCY_KEY_REUSED: _idempotency_key_reused,
    Refusal.UNKNOWN_CURRENCY: _unknown_currency,
    Refusal.TRANSACTION_NOT_FOUND: _transaction_not_found,
    Refusal.NOT_A_HOLD: _not_a_hold,
    Refusal.NOT_REFUNDABLE: _not_refundable,
    Refusal.NOT_POSTED: _not_posted,
    Refusal.NAME_TAKEN: _name_taken,
    Refusal.SAME_ACCOUNT: _same_account,
    Refusal.ACCOUNT_NOT_FOUND: _account_not_found,
    Refusal.CURRENCY_MISMATCH: _currency_mismatch,
    Refusal.SAME_CURRENCY: _same_currency,
    Refusal.AMOUNT_OUT_OF_RANGE: _amount_out_of_range,
    Refusal.SPLIT_NOT_EXACT: _split_not_exact,
    Refusal.TIME_OUT_OF_RANGE: _time_out_of_range,
    Refusal.HOLD_NOT_OPEN: _hold_not_open,
    Refusal.HOLD_EXPIRED: _hold_expired,
    Refusal.VERSION_MISMATCH: _version_mismatch,
    Refusal.ACCOUNT_CLOSED: _account_closed,
    Refusal.ACCOUNT_FROZEN: _account_frozen,
    Refusal.ACCOUNT_NOT_EMPTY: _account_not_empty,
    Refusal.METADATA_TOO_LARGE: _metadata_too_large,
    Refusal.CAPTURE_EXCEEDS_HOLD: _capture_exceeds_hold,
    Refusal.REFUND_EXCEEDS_ORIGINAL: _refund_exceeds_original,
    Refusal.INSUFFICIENT_FUNDS: _insufficient_funds,
    Refusal.BALANCE_LIMIT_EXCEEDED: _balance_limit_exceeded,
    Refusal.LIMIT_EXCEEDED: _limit_exceeded,
    Refusal.BATCH_REFUSED: _batch_refused,
}
assert _REFUSED.keys() == set(Refusal)
