"""What can be asked of a ledger where several transactions may come of it: split, exchange, batch, what is queued."""

from collections.abc import Iterable, Sequence
from typing import Unpack

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from koshel.asking.group_requests import MemberRequest
from koshel.asking.requests import Requests
from koshel.core.commands import Command, Deferrable
from koshel.core.ending import EndSplit
from koshel.core.model import Outcome
from koshel.errors import Refused
from koshel.inputs.labels import GivenLabels
from koshel.inputs.legs import Source, Target
from koshel.inputs.moments import Moment
from koshel.inputs.texts import AccountRef
from koshel.inputs.values import Money
from koshel.library import exchanges, group_results
from koshel.library.exchanges import Exchange
from koshel.library.group_results import SplitResult
from koshel.library.results import Account, Promise, Transaction


class GroupMethods:
    """These of the requests of a ledger; `Methods` has the others."""

    requests: Requests  # makes members for `batch`, and requests for `enqueue`

    async def _settle(self, command: Command) -> Outcome:
        """The outcome of a command. Raises StoreError, Misuse."""
        raise NotImplementedError

    async def _with_holds(self, command: EndSplit) -> EndSplit:
        """The command, with the transactions of its split. Raises Refused, StoreError, Misuse."""
        raise NotImplementedError

    async def split(
        self,
        *,
        amount: Money,
        source: AccountRef | UnsetType | None = UNSET,
        target: AccountRef | UnsetType | None = UNSET,
        sources: Iterable[Source] = (),
        targets: Iterable[Target] = (),
        hold: bool = False,
        expires_in: int | UnsetType = UNSET,
        capture_at: Moment | UnsetType = UNSET,
        key: str | None = None,
        **labels: Unpack[GivenLabels],
    ) -> SplitResult:
        """Money from `source` to each of the `targets`, or from each of the `sources` to `target`: all or nothing.

        A source or a target of None is the world outside. `hold`: reserve it, for `expires_in` seconds.
        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        command = self.requests.split(
            amount=amount,
            source=source,
            target=target,
            sources=sources,
            targets=targets,
            hold=hold,
            expires_in=expires_in,
            capture_at=capture_at,
            key=key,
            **labels,
        )
        return group_results.split_of(await self._settle(command))

    async def capture_split(
        self, group_id: int, *, key: str | None = None, **labels: Unpack[GivenLabels]
    ) -> SplitResult:
        """All that the holds of a split still reserve, moved to their targets: of all of them, or of none.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        return await self._end(self.requests.capture_split(group_id, key=key, **labels))

    async def void_split(self, group_id: int, *, key: str | None = None, **labels: Unpack[GivenLabels]) -> SplitResult:
        """All that the holds of a split still reserve is free again: of all of them, or of none.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        return await self._end(self.requests.void_split(group_id, key=key, **labels))

    async def _end(self, command: EndSplit) -> SplitResult:
        return group_results.split_of(await self._settle(await self._with_holds(command)))

    async def exchange(
        self,
        *,
        source: AccountRef,
        target: AccountRef,
        source_amount: Money,
        target_amount: Money | None = None,
        rate: Money | None = None,
        key: str | None = None,
        **labels: Unpack[GivenLabels],
    ) -> Exchange:
        """Money of one currency for money of another: `target_amount`, or what the `rate` makes of `source_amount`.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        command = self.requests.exchange(
            source=source,
            target=target,
            source_amount=source_amount,
            target_amount=target_amount,
            rate=rate,
            key=key,
            **labels,
        )
        return exchanges.exchange_of(await self._settle(command))

    async def batch(
        self, members: Sequence[MemberRequest], *, atomic: bool = True, key: str | None = None
    ) -> list[Transaction | SplitResult | Exchange | Account | Promise | Refused]:
        """What became of each member; `requests` makes them. They are settled together and in order, 1,000 at most.

        One that `requests.ensure_account` has made is an Account, which later members may name; then there is no `key`.

        If `atomic`, all are done or none: then Refused is raised, with the `cause`. Else a refusal is in its place.
        """
        return group_results.members_of(await self._settle(self.requests.batch(members, atomic=atomic, key=key)))

    async def enqueue(
        self, request: Deferrable, *, execute_at: Moment | UnsetType = UNSET
    ) -> Promise | Transaction | SplitResult | Exchange:
        """A queued transaction, durable when it is returned. `requests` makes the request.

        `execute_at`: not before then, by the database's clock: an aware datetime, or RFC 3339. A time that is past is
        now; one further ahead than `schedule_max_s` is Refused. If its key has made it before, that is returned.
        """
        command = self.requests.enqueue(request, execute_at=execute_at)
        if isinstance(request, EndSplit):
            command = replace(command, command=await self._with_holds(request))
        return group_results.queued_of(await self._settle(command))
