"""A batch that is traced: what became of it is in its span, whoever asked for it and however it ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from structlog.testing import capture_logs

from koshel.core.commands import Group
from koshel.core.model import Opened
from koshel.db.errors import Conflict, DatabaseUnavailable, Obstructed, OutcomeUnknown
from koshel.db.lease import End
from koshel.db.pools import TimeLimits
from koshel.db.settling.claims import ClaimHolds, ClaimQueued
from koshel.db.store import Store, StoreConfig, open_store
from koshel.retry import settle_again
from koshel.settle import settle
from tests.support.database import Database
from tests.support.settled import open_accounts, opening, rows
from tests.support.traced import STEPS, ids, links, make_tracing, no_lease, said
from tests.support.wallets import payment, transfer

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"


class Watched:
    """A store with traces, and its spans."""

    def __init__(self, store: Store, exporter: InMemorySpanExporter) -> None:
        self.store = store
        self._exporter = exporter

    def forget(self) -> None:
        self._exporter.clear()

    def spans(self, name: str) -> list[ReadableSpan]:
        return [one for one in self._exporter.get_finished_spans() if one.name == name]

    def steps(self, batch: ReadableSpan) -> list[str]:
        spans = [one for one in self._exporter.get_finished_spans() if one.parent == batch.context]
        assert {one.status.status_code for one in spans[:-1]} <= {StatusCode.UNSET}
        return [one.name for one in spans]


@asynccontextmanager
async def open_watched(database: Database) -> AsyncIterator[Watched]:
    tracing, exporter = make_tracing()
    limits = TimeLimits(lock_timeout_ms=50)
    async with open_store(StoreConfig(database.service_url, limits=limits, tracing=tracing)) as store:
        yield Watched(store, exporter)


@pytest.fixture
async def watched(database: Database) -> AsyncIterator[Watched]:
    async with open_watched(database) as watched:
        yield watched


async def test_a_batch_that_carries_no_request_is_the_background_s_and_counts_each_member(watched: Watched) -> None:
    ann, bob = await open_accounts(watched.store, opening(), opening())
    watched.forget()
    await settle(watched.store, [payment(ann, "10"), Group(1, (transfer(ann, bob, "1"),) * 2, atomic=True)])
    (batch,) = watched.spans("settle")
    assert said(batch)["koshel.batch.commands"] == 3
    assert watched.steps(batch) == STEPS
    assert links(batch) == []


@pytest.mark.parametrize(("claim", "name"), [(ClaimQueued(1, 5), "queued"), (ClaimHolds(1, 5), "expired")])
async def test_what_is_due_is_a_batch_that_says_what_it_was(
    watched: Watched, claim: ClaimQueued | ClaimHolds, name: str
) -> None:
    await settle(watched.store, [claim])
    (batch,) = watched.spans("settle")
    assert (said(batch)["koshel.batch.claim"], said(batch)["koshel.batch.commands"]) == (name, 0)


async def test_a_batch_that_waited_for_a_lock_in_vain_ends_in_that_step(watched: Watched, database: Database) -> None:
    (ann,) = await open_accounts(watched.store, opening())
    watched.forget()
    async with await psycopg.AsyncConnection.connect(database.owner_url) as other:
        await other.execute("SELECT FROM account WHERE id = %s FOR UPDATE", [ann])
        with pytest.raises(Obstructed):
            await settle(watched.store, [payment(ann, "10")])
    (batch,) = watched.spans("settle")
    assert batch.status.status_code is StatusCode.ERROR
    assert said(batch)["error.type"] == "Obstructed"
    assert watched.steps(batch) == ["resolve", "lock"]
    (lock,) = watched.spans("lock")
    assert lock.status.status_code is StatusCode.ERROR
    assert (lock.end_time or 0) - (lock.start_time or 0) >= 50_000_000
    assert batch.end_time == lock.end_time


async def test_an_accident_is_told_by_its_type_and_never_by_its_text(watched: Watched) -> None:
    with pytest.raises(RuntimeError):  # noqa: PT012  the whole of a batch, but for its end
        async with watched.store.batch() as batch:
            await batch.lock(await batch.resolve([payment(1, "10")]))
            raise RuntimeError("ann@example.com")
    (span,) = watched.spans("settle")
    assert said(span)["error.type"] == "RuntimeError"
    assert watched.steps(span) == ["resolve", "lock", "decide"]
    assert "@" not in span.to_json() + watched.spans("decide")[0].to_json()


async def test_a_batch_that_never_had_a_connection_has_no_steps(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("koshel.db.store.lease", no_lease)
    with pytest.raises(DatabaseUnavailable):
        await settle(watched.store, [payment(1, "10")])
    (batch,) = watched.spans("settle")
    assert batch.status.status_code is StatusCode.ERROR
    assert watched.steps(batch) == []


@pytest.mark.parametrize(("is_there", "error"), [(False, Conflict), (None, OutcomeUnknown)])
async def test_a_commit_that_was_lost_is_an_error_unless_it_happened(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, error: type[Exception], *, is_there: bool | None
) -> None:
    async def lost(connection: object, transaction: object) -> End:
        del connection
        await transaction.rollback()  # type: ignore[attr-defined]
        return End.LOST

    async def asked(*_: object) -> bool:
        if is_there is None:
            raise OutcomeUnknown
        return is_there

    monkeypatch.setattr("koshel.db.store.commit", lost)
    monkeypatch.setattr(watched.store, "_committed", asked)
    with pytest.raises(error):
        await settle(watched.store, [opening()])
    (batch,) = watched.spans("settle")
    assert said(batch)["error.type"] == error.__name__
    assert watched.steps(batch) == STEPS


async def test_a_batch_that_is_tried_again_has_a_span_for_each_time(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ann,) = await open_accounts(watched.store, opening())
    watched.forget()
    tracing, _ = make_tracing()
    request = tracing.request("POST", "POST /account", f"{PARENT}-01", None)
    tracing.carry([request])

    async def lost_once(connection: object, transaction: object) -> End:
        monkeypatch.undo()
        del connection
        await transaction.rollback()  # type: ignore[attr-defined]
        return End.LOST

    monkeypatch.setattr("koshel.db.store.commit", lost_once)
    await settle_again(watched.store, [payment(ann, "10")], sleep=asyncio.sleep)
    first, second = watched.spans("settle")
    assert (said(first).get("error.type"), said(second).get("error.type")) == ("Conflict", None)
    assert links(first) == links(second)
    request.end(201, None, "r", None, None)
    assert isinstance(request.span, ReadableSpan)
    assert links(request.span) == [ids(first), ids(second)]


@pytest.mark.parametrize(("sampler", "count"), [("always_off", 0), ("always_on", 1), ("parentbased_always_off", 0)])
async def test_the_background_asks_the_sampler(
    database: Database, monkeypatch: pytest.MonkeyPatch, sampler: str, count: int
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    async with open_watched(database) as watched:
        await settle(watched.store, [ClaimQueued(1, 5)])
        assert len(watched.spans("settle")) == count
        assert len(watched.spans("commit")) == count


async def test_a_batch_whose_requests_are_not_recorded_is_not_either_and_one_that_is_has_all_its_steps(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    tracing, _ = make_tracing()
    requests = [tracing.request("GET", "none", f"{PARENT}-{flags}", None) for flags in ("00", "01")]
    async with open_watched(database) as watched:
        tracing.carry([requests[0], None])
        await settle(watched.store, [opening()])
        assert watched.spans("settle") == []
        tracing.carry([None, *requests])
        await settle(watched.store, [opening()])
        (batch,) = watched.spans("settle")
        assert watched.steps(batch) == STEPS
    assert links(batch) == [requests[1].header[16:-5].partition("-")[::2]]


async def test_a_span_that_is_lost_never_settles_anything_again(
    watched: Watched, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("koshel.telemetry.tracing.Tracing.end_batch", fail)
    with capture_logs() as log:
        (outcome,) = await settle_again(watched.store, [opening()])
    assert isinstance(outcome, Opened)
    assert rows(database)["account"] == 1
    assert [line["event"] for line in log] == ["a batch has lost its span"]
