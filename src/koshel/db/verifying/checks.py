"""The checks of a proof, in the order in which what they find is said."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias

import psycopg
from msgspec import Struct

from koshel.core.money import iso_scales
from koshel.core.turnovers import LENGTHS
from koshel.db.queries import Queries
from koshel.db.verifying import kept, said, said_changes, said_exchanges, said_limits, said_splits

FINDINGS_MAX = 1_000  # of a kind
MORE = "... and more of this kind"

Row: TypeAlias = Mapping[str, Any]
Connection: TypeAlias = "psycopg.Connection[Row]"
Say: TypeAlias = Callable[[Row], str | Iterable[str]]


# What is found right by sums needs no closer look; where it is not, these say what is wrong.
SURVEYED: Mapping[str, Mapping[str, Say]] = {
    "survey_lines": {"verify_accounts": said.account, "verify_lines": said.line},
    "survey_times": {"verify_times": said.moment},
    "survey_parents": {"verify_parents": said.parent},
    "survey_receipts": {"verify_receipts": said.receipt},
    "survey_batches": {"verify_batches": said.batch, "verify_moments": said.times},
}


class Check(Struct, frozen=True):
    """Something to be found wrong. `weight`: its part of the time, roughly, of a hundred."""

    find: Callable[[Connection], Iterator[str]]
    weight: float
    plan: str  # the settings that it is planned with

    def run(self, connection: Connection) -> list[str]:
        """A sentence for each finding, but no more than FINDINGS_MAX of them."""
        connection.execute(self.plan.encode())
        found = list(islice(self.find(connection), FINDINGS_MAX + 1))
        return found if len(found) <= FINDINGS_MAX else [*found[:FINDINGS_MAX], MORE]


def checks(q: Queries, last: Mapping[str, int], seed: int) -> list[Check]:
    """All of them. `last`: ids that the sequences have given; `seed`: a random number below 2^62."""

    def rows(weight: float, statement: str, say: Say, *given: Any) -> Check:
        return Check(lambda connection: _findings(connection, statement, say, given), weight, q.plan_for_whole_tables)

    def surveyed(weight: float, survey: str) -> Check:
        def find(connection: Connection) -> Iterator[str]:
            statement = getattr(q, survey)
            row = connection.execute(statement.encode(), (seed,) if "$1" in statement else ()).fetchone()
            if row is not None and row["suspects"]:
                for name, say in SURVEYED[survey].items():
                    yield from _findings(connection, getattr(q, name), say, ())

        return Check(find, weight, q.plan_for_whole_tables)

    return [
        rows(1, q.verify_ledgers, said.ledger),
        rows(1, q.verify_currencies, said.currency),
        surveyed(15, "survey_lines"),
        rows(8, q.verify_sides, said.side, last["transaction_id"], last["group_id"]),
        surveyed(28, "survey_times"),
        rows(1, q.verify_registered, said.registered),
        rows(1, q.verify_openings, said.opening, last["account_id"], *_iso_arrays()),
        *(rows(1, *one) for one in ((q.verify_names, said.names), (q.verify_opened, said.opened))),
        rows(1, q.verify_closed, said.closed),
        rows(1, q.verify_held, said.held),
        rows(5, q.verify_holds, said.hold),
        rows(5, q.verify_endings, said.ending),
        surveyed(5, "survey_parents"),
        rows(2, q.verify_refunds, said.refunds),
        rows(1, q.verify_refunds_of_all, said.refund_of_all),
        rows(1, q.verify_limits, said_limits.limits),
        rows(1, q.verify_turnovers, said_limits.turnover),
        *(rows(1, q.verify_windows, said_limits.window, per, length) for per, length in LENGTHS.items()),
        rows(1, q.verify_queued, said.queued),
        rows(1, q.verify_enqueued, said.enqueued),
        surveyed(5, "survey_receipts"),
        surveyed(8, "survey_batches"),
        *(rows(1, *one) for one in ((q.verify_rules, said.rules), (q.verify_notes, said_changes.note))),
        rows(2, q.verify_account_changes, said_changes.account),
        rows(2, q.verify_groups, said.group),
        rows(1, q.verify_splits, said_splits.split),
        rows(1, q.verify_ends, said_splits.end),
        rows(1, q.verify_exchanges, said_exchanges.exchange),
        rows(1, q.verify_group_counts, said_exchanges.group_count),
        rows(3, q.verify_requests, said.request),
        _kept(q, 20, kept.receipts),
        _kept(q, 1, kept.queued, last["transaction_id"]),
    ]


def _kept(q: Queries, weight: float, find: Callable[..., Iterator[str]], *arguments: int) -> Check:
    return Check(lambda connection: find(connection, q, *arguments), weight, q.plan_for_whole_tables)


def _iso_arrays() -> tuple[list[str], list[int]]:
    scales = iso_scales()
    return list(scales), list(scales.values())


def _findings(connection: Connection, statement: str, say: Say, arguments: Sequence[Any]) -> Iterator[str]:
    for row in connection.execute(statement.encode(), (FINDINGS_MAX + 1, *arguments)):
        told = say(row)
        for sentence in [told] if isinstance(told, str) else told:
            yield sentence if row["ledger_id"] is None else f"ledger {row['ledger_id']}: {sentence}"
