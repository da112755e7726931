"""A command's way to its reply: settled at once, queued for the background, or only as a dry run.

command ─┬─ dry run ────────▶ a batch that is not committed ──▶ 200: what would happen
         ├─ respond-async ──▶ batcher ──▶ enqueued ───────────▶ 202: a queued transaction
         ├─ execute_at ─────▶ the same, and due then
         └─ else ───────────▶ batcher ──▶ settled ────────────▶ 201: done
"""

import asyncio
from collections.abc import Mapping
from typing import assert_never

from msgspec import UNSET

from koshel.core.commands import ChangeAccount, Command, Deferrable, Enqueue, Group, Opening, Split
from koshel.core.exchanging import Exchange
from koshel.core.legs import LeftOut
from koshel.core.model import (
    Annotated,
    Changed,
    Declined,
    Executed,
    First,
    Found,
    Grouped,
    Opened,
    Outcome,
    Posted,
    Queued,
    Replayed,
)
from koshel.core.notes import Annotate
from koshel.core.reach import weight_of
from koshel.db.errors import OutcomeUnknown, StoreError
from koshel.db.settling.notes import standing
from koshel.http.bodies import wire
from koshel.http.bodies.exchanged import exchanged
from koshel.http.bodies.together import BatchReply, results
from koshel.http.call import NO_HEADERS, Call, Reply, json
from koshel.http.prefer import Preference
from koshel.http.refusals import refused

REPLAYED = {"Idempotent-Replayed": "true"}


async def answer(call: Call, command: Deferrable) -> Reply:
    """The reply to a request that makes a transaction; one that makes several counts as so many."""
    weight = weight_of(command)
    if weight > 1 and call.limits is not None:
        call.limits.weigh(call.caller, weight)
    if call.body.execute_at is not UNSET:
        return await _schedule(call, call.requests.enqueue(command, execute_at=call.body.execute_at))
    if call.query.dry_run:
        return reply(await call.rehearse(command), dry_run=True)
    if call.prefer.respond_async:
        return await _enqueue(call, command)
    return reply(await _settled(call, command, weight))


async def _schedule(call: Call, command: Enqueue) -> Reply:
    """The reply to a request whose transaction is due at a time of its own: of Prefer there is nothing to wait for."""
    if call.query.dry_run:
        return reply(await call.rehearse(command), dry_run=True)
    outcome = await _settled(call, command)
    call.service.engine.background.wake()
    return reply(outcome, prefer=Preference(respond_async=True) if call.prefer.respond_async else None)


async def answer_now(call: Call, command: Opening | ChangeAccount | Annotate) -> Reply:
    """The reply to a request that makes no transaction."""
    return reply(await _settled(call, command))


async def answer_together(call: Call, command: Group) -> Reply:
    """The reply to a batch, which counts as many as it has members."""
    weight = weight_of(command)
    if call.limits is not None:
        call.limits.weigh(call.caller, weight)
    if call.query.dry_run:
        return reply(await call.rehearse(command), dry_run=True)
    return reply(await _settled(call, command, weight))


async def _settled(call: Call, command: Command, weight: int = 1) -> Outcome:
    """The command's outcome, together with what others ask for at the same moment."""
    answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    waiting = call.service.engine.batcher.send(command, answer, size=call.size, weight=weight, share=call.caller.share)
    waiting.trace = call.trace
    outcome = await answer
    call.batch_id = waiting.batch_id
    return outcome


async def _enqueue(call: Call, command: Deferrable) -> Reply:
    """A queued transaction, unless the answer comes within the time that the caller would wait."""
    engine, prefer = call.service.engine, call.prefer
    if prefer.wait_s:
        try:
            outcome = await _within(call, command)
        except StoreError as error:
            if isinstance(error, OutcomeUnknown):
                raise
            outcome = None  # nothing was done, so it can still be queued
        if outcome is not None:
            return reply(outcome, {"Preference-Applied": f"wait={prefer.wait_s}"}, prefer=prefer)
    outcome = await _settled(call, call.requests.enqueue(command))
    engine.background.wake()
    return reply(outcome, prefer=prefer)


async def _within(call: Call, command: Deferrable) -> Outcome | None:
    """The outcome, or None if the command was taken back, since it had not even left when time was up."""
    batcher = call.service.engine.batcher
    settled: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    waiting = batcher.send(command, settled, size=call.size, weight=weight_of(command), share=call.caller.share)
    waiting.trace = call.trace
    try:
        done, _ = await asyncio.wait([settled], timeout=call.prefer.wait_s)
    except asyncio.CancelledError:
        settled.cancel()  # of a caller who hangs up before the batch leaves, nothing is done
        raise
    outcome = await settled if done or not waiting.withdraw() else None
    call.batch_id = waiting.batch_id
    return outcome


def reply(
    outcome: Outcome,
    headers: Mapping[str, str] = NO_HEADERS,
    *,
    prefer: Preference | None = None,
    dry_run: bool = False,
) -> Reply:
    """The reply that an outcome is. Raises Failure, which is a reply too, if it was declined."""
    if type(outcome) is Posted:  # as nearly all are
        return _first(outcome, headers, 200 if dry_run else 201)
    first = outcome.first if isinstance(outcome, Replayed) else outcome
    if isinstance(first, Queued) and prefer is not None:
        headers = {**headers, "Preference-Applied": prefer.applied}
    if isinstance(outcome, Replayed):
        return _first(outcome.first, {**headers, **REPLAYED})
    assert not isinstance(outcome, Executed | LeftOut)
    if isinstance(outcome, Found):
        return json(200, wire.account(outcome.account), {"ETag": wire.etag(outcome.account)})
    return _first(outcome, headers, 200 if dry_run else 201)


def _first(outcome: First, headers: Mapping[str, str], made: int = 201) -> Reply:
    """`made`: the status where something was made."""
    match outcome:
        case Posted():
            where = {"Location": f"/transaction/{outcome.id}", **headers} if outcome.id else headers
            return json(made, wire.transaction(outcome), where)
        case Queued():
            where = {"Location": f"/transaction/{outcome.id}", **headers} if outcome.id else headers
            return json(202 if outcome.id else made, wire.queued_transaction(outcome), where)
        case Grouped() if isinstance(outcome.command, Exchange):
            return json(made, exchanged(outcome), headers)
        case Grouped():
            where = {"Location": f"/split/{outcome.group_id}"} if _is_split(outcome) and outcome.group_id else {}
            body = BatchReply(results(outcome), outcome.group_id if outcome.has_id else UNSET)
            return json(made if outcome.has_id else 200, body, {**where, **headers})
        case Opened():
            where = {"Location": f"/account/{outcome.account.id}", "ETag": wire.etag(outcome.account)}
            return json(made, wire.account(outcome.account), {**where, **headers})
        case Annotated():
            return json(200, wire.standing(standing(outcome)), headers)
        case Changed():
            return json(200, wire.account(outcome.account), {"ETag": wire.etag(outcome.account), **headers})
        case Declined():
            failure = refused(outcome)
            failure.headers.update(headers)
            raise failure
        case _:
            assert_never(outcome)


def _is_split(group: Grouped) -> bool:
    return isinstance(group.command, Split)
