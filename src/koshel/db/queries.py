"""Loads `queries.sql` into one frozen struct: a missing or an extra name fails at start."""

import re
from functools import cache
from pathlib import Path

from msgspec import Struct, structs

from koshel.db.qualifying import qualified

SCHEMA = "koshel"  # of a new database
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


class Queries(Struct, frozen=True):
    """The statements by name; what each does and why stands above it in the file."""

    lock_accounts: str
    lock_accounts_of_ledgers: str
    read_accounts: str
    lock_free_accounts: str
    lock_free_accounts_of_ledgers: str
    find_accounts: str
    find_names: str
    find_held: str
    read_clock: str
    find_originals: str
    find_members: str
    find_pending: str
    find_holds: str
    find_refunded: str
    find_notes: str
    find_details: str
    find_turnovers: str
    find_history: str
    find_shown: str
    find_receipts: str
    find_scales: str
    post: str
    post_plain: str
    move_accounts: str
    take_group_ids: str
    take_transaction_ids: str
    enqueue: str
    settle_queued: str
    postpone_captures: str
    cancel_queued: str
    change_accounts: str
    record_account_changes: str
    record_notes: str
    record_splits: str
    record_exchanges: str
    take_account_ids: str
    open_accounts: str
    count_turnovers: str
    keep_turnovers: str
    record_receipts: str
    record_batch: str
    record_parts: str
    is_waited_for: str
    fence_batch: str
    find_batch: str
    get_account: str
    get_account_named: str
    list_account_changes: str
    get_transaction: str
    get_split: str
    get_split_ids: str
    list_transaction_changes: str
    get_queued: str
    list_transactions: str
    list_transactions_of_ids: str
    list_transactions_of_parent: str
    list_transactions_of_reference: str
    list_transactions_of_group: str
    list_transactions_of_account: str
    list_open_holds: str
    find_listed: str
    find_candidates: str
    find_listed_pending: str
    find_keyed: str
    find_states_before: str
    get_state: str
    find_archived: str
    count_lines: str
    find_first: str
    sum_by_value_date: str
    plan_for_sum: str
    sum_ledger: str
    sum_volume: str
    list_accounts: str
    list_accounts_of_email: str
    list_accounts_of_currency: str
    list_accounts_of_status: str
    list_accounts_of_name: str
    find_listed_accounts: str
    find_due: str
    claim_queued: str
    claim_one_queued: str
    limit_lock_wait: str
    defer: str
    postpone: str
    note_blocked: str
    claim_holds: str
    claim_one_hold: str
    measure_queue: str
    measure_background: str
    add_ledger: str
    list_ledgers: str
    get_ledger: str
    find_ledger: str
    lock_ledger: str
    rename_ledger: str
    add_api_key: str
    list_api_keys: str
    get_api_key: str
    find_ledger_of_account: str
    erase_account: str
    find_ledger_of_api_key: str
    find_api_keys: str
    has_api_keys: str
    has_other_admin_key: str
    revoke_api_key: str
    end_api_key: str
    note_api_keys_used: str
    set_for_session: str
    see_ledgers: str
    see_all_ledgers: str
    set_savepoint: str
    release_savepoint: str
    roll_back_to_savepoint: str
    measure_partitions: str
    make_partitions: str
    find_schema: str
    is_confined: str
    read_server: str
    read_durability: str
    read_speed_settings: str
    read_backend: str
    missing_rights: str
    make_role: str
    find_unconfined: str
    applied_migrations: str
    lock_migrations: str
    find_holders: str
    create_schema: str
    search_schema: str
    read_search_path: str
    lift_statement_timeout: str
    lift_time_limits: str
    create_service_role: str
    add_currency: str
    list_currencies: str
    grant_service: str
    find_policies: str
    lock_tables: str
    secure_rows: str
    find_unfit_reader: str
    grant_ledger: str
    revoke_ledger: str
    plan_for_whole_tables: str
    plan_for_look_ups: str
    export_snapshot: str
    read_last_ids: str
    count_proved: str
    survey_lines: str
    verify_currencies: str
    verify_accounts: str
    verify_lines: str
    verify_sides: str
    survey_times: str
    verify_times: str
    verify_ledgers: str
    verify_registered: str
    verify_openings: str
    verify_names: str
    verify_opened: str
    verify_closed: str
    verify_held: str
    verify_holds: str
    verify_endings: str
    survey_parents: str
    verify_parents: str
    verify_refunds: str
    verify_refunds_of_all: str
    verify_queued: str
    verify_limits: str
    verify_turnovers: str
    verify_windows: str
    verify_enqueued: str
    survey_receipts: str
    verify_receipts: str
    survey_batches: str
    verify_batches: str
    verify_moments: str
    verify_account_changes: str
    find_changes_of_accounts: str
    verify_notes: str
    find_changes_of_notes: str
    verify_rules: str
    verify_groups: str
    verify_splits: str
    verify_ends: str
    verify_exchanges: str
    verify_group_counts: str
    verify_requests: str
    read_receipts: str
    read_queued: str
    find_states: str
    plan_for_export: str
    read_first_and_last: str
    export_accounts: str
    export_transactions: str
    export_lines: str
    find_accounts_to_import_to: str
    find_keys: str


def parse(text: str) -> Queries:
    """The named statements of a `.sql` text. Raises TypeError for a name missing or too many."""
    names, bodies = (_NAME.split(text)[start::2] for start in (1, 2))
    if duplicates := {name for name in names if names.count(name) > 1}:
        message = f"statements named twice: {sorted(duplicates)}"
        raise TypeError(message)
    return Queries(**{name: body.strip() for name, body in zip(names, bodies, strict=True)})


def load(schema: str = SCHEMA) -> Queries:
    """The statements of the package, for tables in this schema."""
    return _loaded(schema)  # a cache of `load` would take `load()` and `load("koshel")` for two


@cache
def _loaded(schema: str) -> Queries:
    found = parse(Path(__file__).with_name("queries.sql").read_text())
    return Queries(*(qualified(statement, schema) for statement in structs.astuple(found)))
