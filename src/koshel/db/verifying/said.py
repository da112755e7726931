"""What `koshel verify` says of what it finds: a sentence for each row of its statements."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]


def currency(row: Row) -> str:
    """Of `verify_currencies`."""
    return (
        f"{row['currency']}: the balances add up to {row['balance']}, "
        f"but {row['paid_in']} came in and {row['paid_out']} went out"
    )


def account(row: Row) -> str:
    """Of `verify_accounts`."""
    return (
        f"account {row['id']} has balance {row['balance']} at version {row['version']}, "
        f"but its transactions say {row['told_balance']} at version {row['told_version']}"
    )


def line(row: Row) -> str:
    """Of `verify_lines`."""
    left, told = str(row["balance"]), str(row["told_balance"])
    if row["held"] != row["told_held"]:
        left, told = f"{left}, {row['held']} of it held,", f"{told}, {row['told_held']} of it held,"
    return (
        f"transaction {row['id']} leaves account {row['account_id']} with {left} at version {row['version']}, "
        f"but those before it say {told} at version {row['told_version']}"
    )


def side(row: Row) -> Iterator[str]:
    """Of `verify_sides`: one or more for each row."""
    one = f"transaction {row['id']}"
    for name in ("source", "target"):
        if row[f"lacks_{name}"]:
            yield f"{one} names account {row[f'{name}_account_id']}, which does not exist"
    source, target = row["source_currency"], row["target_currency"]
    if source and target and source != target:
        ends = f"account {row['source_account_id']}, in {source}", f"account {row['target_account_id']}, in {target}"
        yield f"{one} goes from {ends[0]}, to {ends[1]}"
    elif row["has_other_scale"]:
        yield f"{one} has money with other than the {row['scale']} decimals of its accounts"
    if row["is_early"]:
        yield f"{one} is of {row['ctime']}Z, but its accounts are of {row['opened']}Z"
    if row["is_ahead"]:
        yield f"{one} is of {row['ctime']}Z, which is still to come"
    if row["has_new_id"]:
        yield f"{one} has an id that was never given"
    if row["has_no_metadata"]:
        yield f"{one} has metadata that is no object"
    if row["has_new_group"]:
        yield f"{one} is in group {row['group_id']}, which was never given"


def moment(row: Row) -> str:
    """Of `verify_times`."""
    return (
        f"transaction {row['id']} is of {row['ctime']}Z, but is version {row['version']} of account "
        f"{row['account_id']}, and the version before is of {row['ctime_before']}Z"
    )


def ledger(row: Row) -> str:
    """Of `verify_ledgers`."""
    return f"it does not exist, but has {row['rows']} rows in the table {row['relation']}"


def registered(row: Row) -> str:
    """Of `verify_registered`."""
    return f"{row['what']} is of {row['ctime']}Z, which is still to come"


def opening(row: Row) -> Iterator[str]:
    """Of `verify_openings`: one or more for each row."""
    one = f"account {row['id']}"
    if row["known_scale"] is None:
        yield f"{one} is in {row['currency']}, which is no currency"
    elif row["scale"] != row["known_scale"]:
        yield f"{one} has {row['scale']} decimals, but {row['currency']} has {row['known_scale']}"
    if row["is_unchanged"]:
        yield f"{one} is {row['status']}, but was never changed"
    if row["is_ahead"]:
        yield f"{one} is of {row['ctime']}Z, which is still to come"
    if row["has_new_id"]:
        yield f"{one} has an id that was never given"
    if row["has_no_metadata"]:
        yield f"{one} has metadata that is no object"


def names(row: Row) -> str:
    """Of `verify_names`."""
    if not row["is_formed"]:
        return f"account {row['id']} has a name that none may have: {row['name']!r}"
    return f"account {row['id']} has the name of account {row['first_id']}, {row['name']!r}"


def opened(row: Row) -> str:
    """Of `verify_opened`."""
    key = row["idempotency_key"]
    if row["id"] is None:
        return f"the receipt of key {key!r} tells of account {row['account_id']}, which was not opened with that key"
    return f"account {row['id']} was opened with key {key!r}, but no receipt says so"


def closed(row: Row) -> str:
    """Of `verify_closed`."""
    return f"account {row['id']} is closed, but has balance {row['balance']}, {row['held']} of it held"


def held(row: Row) -> str:
    """Of `verify_held`."""
    return f"account {row['id']} has {row['held']} held, but its open holds reserve {row['reserved']}"


def hold(row: Row) -> str:
    """Of `verify_holds`."""
    if row["rest"] is None:
        return f"{row['reserved']} is reserved for hold {row['id']}, which does not exist"
    if row["is_backward"]:
        return f"hold {row['id']} was placed until {row['told_expires_at']}Z, which was before it was placed"
    if row["reserved"] is None:
        return f"hold {row['id']} is not open, but nothing has ended it"
    if str(row["reserved"]) != str(row["rest"]):  # to the last decimal
        return f"hold {row['id']} reserves {row['reserved']}, but {row['rest']} of it is left"
    if row["expires_at"] == row["told_expires_at"]:
        return (
            f"hold {row['id']} is to be captured {_at(row['capture_at'])}, "
            f"but was placed to be captured {_at(row['told_capture_at'])}"
        )
    return f"hold {row['id']} is open until {row['expires_at']}Z, but was placed until {row['told_expires_at']}Z"


def _at(moment: str | None) -> str:
    return "by its caller" if moment is None else f"at {moment}Z"


def ending(row: Row) -> str:
    """Of `verify_endings`."""
    one = f"{row['kind']} {row['id']} of hold {row['parent_id']}"
    if not row["is_covered"]:
        return f"{one} is of {row['amount']}, but {row['rest']} was left"
    if row["is_timely"] and row["is_of_all"]:
        return f"{one} is of {row['amount']}, but was to be of all that was left, {row['rest']}"
    if row["is_timely"]:
        return f"{one} has ended it, but was not to" if row["is_end"] else f"{one} was to end it, but has not"
    return f"{one} is of {row['ctime']}Z, but the hold's time is up at {row['expires_at']}Z"


def parent(row: Row) -> str:
    """Of `verify_parents`."""
    if row["parent_kind"] is None:
        return f"{row['kind']} {row['id']} follows transaction {row['parent_id']}, which does not exist"
    if not row["is_suitable"]:
        return f"{row['kind']} {row['id']} follows transaction {row['parent_id']}, which is a {row['parent_kind']}"
    if row["is_of_another"]:
        return f"expiry {row['id']} has another reference than hold {row['parent_id']}, which it follows"
    if row["is_straight"]:
        return f"{row['kind']} {row['id']} follows {row['parent_kind']} {row['parent_id']}, which came after it"
    return (
        f"{row['kind']} {row['id']} goes {_way(row['source_account_id'], row['target_account_id'])}, but follows "
        f"{row['parent_kind']} {row['parent_id']} "
        f"{_way(row['parent_source_account_id'], row['parent_target_account_id'])}"
    )


def _way(source_id: int | None, target_id: int | None) -> str:
    source, target = ("the outside" if one is None else f"account {one}" for one in (source_id, target_id))
    return f"from {source} to {target}"


def refunds(row: Row) -> str:
    """Of `verify_refunds`."""
    return f"the refunds of transaction {row['id']} add up to {row['refunded']}, but it is of {row['amount']}"


def refund_of_all(row: Row) -> str:
    """Of `verify_refunds_of_all`."""
    return (
        f"refund {row['id']} of transaction {row['parent_id']} is of {row['amount']}, "
        f"but was to be of all that was left, {row['rest']}"
    )


def queued(row: Row) -> str:
    """Of `verify_queued`."""
    return f"transaction {row['id']} is {row['one']}, but {row['other']} too"


def receipt(row: Row) -> str:
    """Of `verify_receipts`."""
    key = row["idempotency_key"]
    if row["transaction_id"] is None:
        return f"transaction {row['id']} has key {key!r}, but there is no receipt for it"
    if row["is_enqueue"] and not row["is_there"]:
        return (
            f"the receipt of key {key!r} promises transaction {row['transaction_id']}, "
            "which is not posted, queued, declined or cancelled"
        )
    return f"the receipt of key {key!r} names transaction {row['transaction_id']}, which does not have that key"


def request(row: Row) -> str:
    """Of `verify_requests`."""
    return f"the receipt of key {row['idempotency_key']!r} keeps no request for {row['kind']} {row['id']}"


def batch(row: Row) -> str:
    """Of `verify_batches`."""
    if row["times"] is None:
        return f"transaction {row['id']} is in no batch"
    if row["times"] > 1:
        return f"transaction {row['id']} is in {row['times']} batches"
    return f"a batch names transaction {row['id']}, which does not exist"


def group(row: Row) -> str:
    """Of `verify_groups`."""
    if row["batches"] > 1:
        return f"the transactions of group {row['id']} are in {row['batches']} batches"
    if row["times"] > 1:
        return f"the transactions of group {row['id']} have {row['times']} times"
    return f"group {row['id']} has {row['transactions']} transactions, but its key has answered with {row['told']}"


def times(row: Row) -> str:
    """Of `verify_moments`."""
    return f"transaction {row['id']} and the others of its batch have {row['times']} times"


def rules(row: Row) -> str:
    """Of `verify_rules`."""
    return f"batch {row['id']} was settled by rules {row['rules']}, which there are not"


def enqueued(row: Row) -> str:
    """Of `verify_enqueued`."""
    return f"the promise of transaction {row['id']} is not what key {row['idempotency_key']!r} has answered"
