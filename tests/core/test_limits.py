"""Limits by time: what counts, what it is that a hold sets aside, and what is told of a refusal."""

from datetime import timedelta

import pytest

from koshel.core.book import after
from koshel.core.commands import ChangeAccount, Command, OpenAccount
from koshel.core.decide import decide
from koshel.core.model import Book, Changed, Declined, Grouped, Opened, Outcome, Refusal
from koshel.core.turnovers import Limit, turnover
from tests.support.limited import limit, limiting
from tests.support.looks import at
from tests.support.wallets import (
    NOW,
    account,
    book,
    capture,
    execute,
    expire,
    group,
    hold,
    kept,
    payment,
    refund,
    transfer,
    void,
    withdrawal,
)

WALLETS = book(account(1, "1000.00"), account(2, "1000.00"), account(3, "1000", "JPY"))
DAILY = limiting(1, limit("1d", "100", "200"))
FIRST = 101


def later(start: Book, passed: timedelta) -> Book:
    """The book as it is read again after so long."""
    now = start.facts.now + passed
    ahead = at(now, after(start, ()))
    for id_, one in start.state.turnovers.items():
        kept_windows = one.counted(start.facts.now)
        ahead.state.turnovers[id_] = turnover(one.limits, one.limits_version, kept_windows, now)
    return ahead


def refusal(outcome: Outcome) -> Refusal | None:
    return outcome.refusal if isinstance(outcome, Declined) else None


def last(start: Book, *commands: Command) -> Refusal | None:
    """Why the last of these is refused; the others are not."""
    *before, outcome = decide(start, commands)
    assert not any(isinstance(one, Declined) for one in before)
    return refusal(outcome)


@pytest.mark.parametrize("out", [withdrawal(1, "60"), transfer(1, 2, "60")])
@pytest.mark.parametrize("more", [withdrawal(1, "40.01"), transfer(1, 2, "40.01"), hold(1, 2, "40.01")])
def test_what_leaves_an_account_counts_wherever_it_goes(out: Command, more: Command) -> None:
    assert last(WALLETS, DAILY, out, more) is Refusal.LIMIT_EXCEEDED
    assert last(WALLETS, out, DAILY, withdrawal(1, "100")) is None, "what moved before is read of the books, not here"
    assert last(WALLETS, DAILY, out, withdrawal(1, "40")) is None


@pytest.mark.parametrize("in_", [payment(1, "150"), transfer(2, 1, "150")])
@pytest.mark.parametrize("more", [payment(1, "50.01"), transfer(2, 1, "50.01")])
def test_what_comes_into_an_account_counts_wherever_it_comes_from(in_: Command, more: Command) -> None:
    assert last(WALLETS, DAILY, in_, more) is Refusal.LIMIT_EXCEEDED
    assert last(WALLETS, DAILY, in_, payment(1, "50")) is None


def test_either_way_has_a_limit_of_its_own() -> None:
    assert last(WALLETS, limiting(1, limit("1d", out="5")), payment(1, "900")) is None
    assert last(WALLETS, limiting(1, limit("1d", in_="5")), withdrawal(1, "900")) is None
    assert last(WALLETS, limiting(1, limit("1d", out="0")), withdrawal(1, "0.01")) is Refusal.LIMIT_EXCEEDED


def test_what_a_hold_reserves_is_set_aside_and_can_always_be_captured() -> None:
    held = kept(WALLETS, DAILY, hold(1, 2, "80", seconds=10**6), first_id=FIRST)
    assert last(held, withdrawal(1, "20.01")) is Refusal.LIMIT_EXCEEDED
    spent = kept(held, withdrawal(1, "20"), first_id=200)
    assert last(spent, capture(FIRST + 1)) is None
    assert last(spent, capture(FIRST + 1, "30", final=False), capture(FIRST + 1, "50")) is None


def test_holds_do_not_pass_a_limit_however_late_they_are_captured() -> None:
    """Every day a hold of all that is left: what they reserve together is never more than a day's limit."""
    day, books = WALLETS, []
    day = kept(day, DAILY)
    for number in range(5):
        outcomes = decide(day, [hold(1, 2, "60", seconds=10**7)])
        books.append(refusal(outcomes[0]))
        day = later(kept(day, hold(1, 2, "60", seconds=10**7), first_id=300 + number), timedelta(days=2))
    assert books == [None, *[Refusal.LIMIT_EXCEEDED] * 4]


@pytest.mark.parametrize("end", [void(FIRST + 1), expire(FIRST + 1), capture(FIRST + 1, "10")])
def test_a_hold_that_ends_gives_back_what_was_not_captured(end: Command) -> None:
    held = kept(WALLETS, DAILY, hold(1, 2, "80", seconds=0 if "Expire" in str(type(end)) else 60), first_id=FIRST)
    assert last(held, end, withdrawal(1, "90")) is None
    captured = isinstance(end, type(capture(1)))
    assert last(held, end, withdrawal(1, "90.01" if captured else "100.01")) is Refusal.LIMIT_EXCEEDED


def test_a_capture_counts_when_it_is_made_and_is_refused_by_a_limit_that_came_after_its_hold() -> None:
    held = kept(WALLETS, hold(1, 2, "80"), limiting(1, limit("1d", "50")), first_id=FIRST)
    assert last(held, capture(FIRST, "50.01")) is Refusal.LIMIT_EXCEEDED
    assert last(held, capture(FIRST, "50", final=False), capture(FIRST, "0.01")) is Refusal.LIMIT_EXCEEDED
    assert last(kept(held, capture(FIRST, "50"), first_id=200), withdrawal(1, "0.01")) is Refusal.LIMIT_EXCEEDED


def test_a_capture_is_refused_if_its_target_may_not_take_it() -> None:
    held = kept(WALLETS, hold(1, 2, "80"), limiting(2, limit("1h", in_="50")), first_id=FIRST)
    assert last(held, capture(FIRST)) is Refusal.LIMIT_EXCEEDED
    assert last(held, capture(FIRST, "50")) is None


def test_a_refund_counts_where_it_goes_and_gives_nothing_back() -> None:
    paid = kept(WALLETS, DAILY, transfer(1, 2, "100"), first_id=FIRST)
    assert last(paid, refund(FIRST + 1), withdrawal(1, "0.01")) is Refusal.LIMIT_EXCEEDED
    assert last(paid, payment(1, "150"), refund(FIRST + 1)) is Refusal.LIMIT_EXCEEDED, "it comes in"
    assert last(paid, limiting(2, limit("1d", "99")), refund(FIRST + 1)) is Refusal.LIMIT_EXCEEDED, "it goes out"


def test_a_void_and_an_expiry_are_never_refused() -> None:
    closed = limiting(1, limit("1d", "0", "0"))
    held = kept(WALLETS, hold(1, 2, "80"), hold(1, 2, "10", seconds=0), closed, first_id=FIRST)
    assert last(held, void(FIRST)) is None
    assert last(held, expire(FIRST + 1)) is None


def test_members_of_a_batch_are_decided_one_after_the_other() -> None:
    limited = kept(WALLETS, DAILY)
    members = [withdrawal(1, "60"), withdrawal(1, "60"), withdrawal(1, "40")]
    (each,) = decide(limited, [group(*members, atomic=False)])
    assert isinstance(each, Grouped)
    assert [refusal(one) for one in each.outcomes] == [None, Refusal.LIMIT_EXCEEDED, None]
    whole, alone = decide(limited, [group(*members), withdrawal(1, "100")])
    assert isinstance(whole, Declined)
    assert whole.cause is not None
    assert whole.cause.refusal is Refusal.LIMIT_EXCEEDED
    assert refusal(alone) is None, "nothing of the group counts"


def test_what_was_queued_counts_when_it_is_executed() -> None:
    assert (
        last(kept(WALLETS, DAILY), execute(201, withdrawal(1, "60")), withdrawal(1, "40.01")) is Refusal.LIMIT_EXCEEDED
    )


def test_a_window_rolls() -> None:
    spent = kept(WALLETS, DAILY, withdrawal(1, "60"))
    spent = kept(later(spent, timedelta(hours=12)), withdrawal(1, "40"))
    (refused,) = decide(spent, [withdrawal(1, "60")])
    assert isinstance(refused, Declined)
    assert refused.facts["fits_at"] == "2026-11-23T10:48:00.000000Z", "a day after the part that began at 10:24 is over"
    passed = timedelta(hours=12, minutes=13)
    assert last(later(spent, passed), withdrawal(1, "60")) is None
    assert last(later(spent, passed - timedelta(microseconds=1)), withdrawal(1, "60")) is Refusal.LIMIT_EXCEEDED
    assert last(later(spent, passed), withdrawal(1, "60.01")) is Refusal.LIMIT_EXCEEDED


def facts(start: Book, command: Command) -> tuple[object, ...]:
    (refused,) = decide(start, [command])
    assert isinstance(refused, Declined)
    return tuple(refused.facts.get(name) for name in ("account_id", "direction", "per", "left", "fits_at"))


def test_the_limit_that_it_fits_into_last_is_told_and_one_that_it_never_fits_into_before_all() -> None:
    limits = limit("1h", "50"), limit("30d", "70"), limit("1d", "60")
    spent = kept(WALLETS, limiting(1, *limits), withdrawal(1, "50"))
    assert facts(spent, withdrawal(1, "5")) == (1, "out", "1h", "0.00", "2026-11-22T11:36:00.000000Z")
    assert facts(spent, withdrawal(1, "15")) == (1, "out", "1d", "10.00", "2026-11-23T10:48:00.000000Z")
    assert facts(spent, withdrawal(1, "25")) == (1, "out", "30d", "20.00", "2026-12-22T12:00:00.000000Z")
    assert facts(spent, withdrawal(1, "60.01"))[2:] == ("1h", "0.00", None)


def test_the_facts_are_text_and_numbers_so_that_they_can_be_kept() -> None:
    spent = kept(WALLETS, DAILY, withdrawal(1, "40"))
    (out, coming) = decide(spent, [withdrawal(1, "60.01"), payment(1, "200.005"), payment(1, "200.01")])[::2]
    assert isinstance(out, Declined)
    assert isinstance(coming, Declined)
    limited = {"account_id": 1, "currency": "USD", "per": "1d"}
    sent = {"direction": "out", "limit": "100.00", "left": "60.00", "amount": "60.01"}
    assert out.facts == limited | sent | {"fits_at": "2026-11-23T10:48:00.000000Z"}
    assert coming.facts == limited | {"direction": "in", "limit": "200.00", "left": "0.00", "amount": "200.01"}


def test_what_waiting_alone_does_not_mend_has_no_time() -> None:
    held = kept(WALLETS, DAILY, hold(1, 2, "80", seconds=10**6), withdrawal(1, "10"))
    assert facts(held, withdrawal(1, "20"))[3:] == ("10.00", "2026-11-23T10:48:00.000000Z")
    assert facts(held, withdrawal(1, "20.01"))[3:] == ("10.00", None), "the hold may stay open"


def test_the_source_is_told_before_the_target() -> None:
    limited = kept(WALLETS, limiting(1, limit("1d", "5")), limiting(2, limit("1d", None, "5")))
    assert facts(limited, transfer(1, 2, "6"))[:2] == (1, "out")
    assert facts(limited, payment(2, "6"))[:2] == (2, "in")


@pytest.mark.parametrize("smaller", [limit("1d", "10"), limit("1h", "59.99")])
def test_limits_below_what_a_window_holds_are_taken_and_refuse_until_it_fits(smaller: Limit) -> None:
    spent = kept(WALLETS, DAILY, limiting(1, limit("1d", "100"), limit("1h", "100")), withdrawal(1, "60"))
    assert last(spent, limiting(1, smaller)) is None
    lower = kept(spent, limiting(1, smaller))
    assert facts(lower, withdrawal(1, "0.01"))[3] == "0.00"
    assert last(later(lower, timedelta(days=2)), withdrawal(1, "0.01")) is None


@pytest.mark.parametrize("none", [limiting(1), limiting(1, limit("1d", None, "5000"))])
def test_limits_are_replaced_as_a_whole(none: ChangeAccount) -> None:
    assert last(kept(WALLETS, DAILY, withdrawal(1, "100")), none, withdrawal(1, "100")) is None


def test_limits_have_the_decimals_of_the_currency_and_change_the_revision() -> None:
    (yen,) = decide(WALLETS, [limiting(3, limit("1d", "10.5", "11.5"))])
    assert isinstance(yen, Changed)
    assert (yen.account.limits, yen.account.revision) == ((limit("1d", "10", "12"),), 1)
    (opened,) = decide(WALLETS, [OpenAccount(1, "a@example.com", "USD", limits=(limit("1h", "5"),))])
    assert isinstance(opened, Opened)
    assert str(opened.account.limits[0].out) == "5.00"


def test_other_changes_leave_the_limits_as_they_are() -> None:
    limited = kept(WALLETS, DAILY, withdrawal(1, "100"))
    changed = decide(limited, [ChangeAccount(1, 1, email="new@example.com")])
    assert isinstance(changed[0], Changed)
    assert changed[0].account.limits == (limit("1d", "100", "200"),)
    assert last(after(limited, changed), withdrawal(1, "0.01")) is Refusal.LIMIT_EXCEEDED


def test_who_has_no_limits_counts_nothing() -> None:
    assert kept(WALLETS, DAILY, transfer(2, 1, "5")).state.turnovers.keys() == {1}
    assert at(NOW, WALLETS).state.turnovers == {}
