"""What the ledger would refuse of lines whatever is settled before them, as a dry run finds it.

Only of the few lines that the ledger may refuse so: because of a name, a key or an account that is there already. What
a line is refused for because money is missing depends on the lines before it, and is passed over here.
"""

from collections.abc import Iterator, Sequence

from koshel.asking.requests import Requests
from koshel.core.commands import EnsureAccount, Move
from koshel.core.model import Declined, Grouped, Outcome, Refusal
from koshel.files.faults import Fault
from koshel.files.wishes import AccountWish, TransactionWish, Wish, balance_of
from koshel.inputs.texts import AT
from koshel.submit import Submit


async def refused(wishes: Sequence[Wish], requests: Requests, rehearse: Submit) -> list[Fault]:
    """Which of these lines are refused, each with its column and the reason; accounts among them have names."""
    if not wishes:
        return []
    asked = [(one, command) for one in wishes for command in _commands(one, requests)]
    outcome = await rehearse(requests.batch([command for _, command in asked], atomic=False))
    assert isinstance(outcome, Grouped), "a batch that is not atomic is not refused"
    faults = [_fault(one, became) for (one, _), became in zip(asked, outcome.outcomes, strict=True)]
    return [fault for fault in faults if fault is not None]


def _commands(one: Wish, requests: Requests) -> Iterator[EnsureAccount | Move]:
    """What the line asks for. An opening balance that was brought before is compared with what it was then."""
    if isinstance(one, TransactionWish):
        yield one.move
        return
    assert isinstance(one.opening, EnsureAccount), "only an account with a name is there already"
    yield one.opening
    if one.balance:
        yield balance_of(one, f"{AT}{one.opening.name}", requests)


def _fault(one: Wish, outcome: Outcome) -> Fault | None:
    if not isinstance(outcome, Declined):
        return None
    facts = outcome.facts
    match outcome.refusal:
        case Refusal.NAME_TAKEN:
            assert isinstance(one, AccountWish), "only an account takes a name"
            return Fault(one.line, "name", f"is that of an account with another {facts['field']}: {one.opening.name}")
        case Refusal.IDEMPOTENCY_KEY_REUSED if isinstance(one, AccountWish):
            return Fault(one.line, "balance", f"is not the one that the account was opened with: {one.opening.name}")
        case Refusal.IDEMPOTENCY_KEY_REUSED:
            reason = f"is that of another request already, with another {facts['field']}: {outcome.command.key}"
            return Fault(one.line, "idempotency_key", reason)
        case Refusal.ACCOUNT_FROZEN | Refusal.ACCOUNT_CLOSED:
            assert isinstance(one, TransactionWish), "only money is kept out of an account"
            is_source = facts["account_id"] == one.move.source_account_id or facts.get("name", "") == one.move.source
            state = "frozen" if outcome.refusal is Refusal.ACCOUNT_FROZEN else "closed"
            return Fault(one.line, "source" if is_source else "target", f"is {state}")
        case _:
            return None
