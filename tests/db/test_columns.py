"""Outcomes in, arrays out: what plain transfers do not have takes no room; each account and hold is written once."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from koshel.core.commands import ChangeAccount, Command, Kind, Split, Status
from koshel.core.decide import decide
from koshel.core.exchanging import Exchange
from koshel.core.legs import LeftOut
from koshel.core.model import Changed, Grouped, Outcome, Posted
from koshel.db.mapping import columns, posting_columns
from koshel.db.mapping.tables import TRANSACTION, Mostly
from tests.support.looks import source_of
from tests.support.wallets import (
    account,
    book,
    capture,
    group,
    hold,
    kept,
    payment,
    postings,
    transfer,
    void,
    withdrawal,
)

BOOK = book(account(1, "100"), account(2, "0"), account(3, "0", "WEI"))


NAMES = [column.name for column in (*TRANSACTION, *posting_columns.DERIVED) if column.mostly is not Mostly.ONE]
NULLS = [column.name for column in (*TRANSACTION, *posting_columns.DERIVED) if column.mostly is Mostly.NULL]
PLAIN_NULLS = [column.name for column in (*TRANSACTION, *posting_columns.DERIVED) if column.is_plain]


def decided(*outcomes: Outcome) -> list[Posted]:
    return postings(outcomes)


def arrays(
    posted: Sequence[Posted], group_ids: Sequence[int | None] | None = None, groups: Sequence[Grouped] = ()
) -> Mapping[str, str]:
    """What `post` or `post_plain` is told, by the names of the columns; {} of what `post_plain` is not told."""
    are_plain, (*told, now) = posting_columns.postings(posted, group_ids, groups)
    assert now == posted[0].ctime
    given = [name for name in NAMES if not (are_plain and name in NULLS) or name in PLAIN_NULLS]
    return {**dict.fromkeys(NULLS, "{}"), **dict(zip(given, told, strict=True))}


def test_pairs_and_keys_are_arrays_as_text() -> None:
    assert columns.pairs([(1, 7), (2, 8)]) == ["{1,2}", "{7,8}"]
    assert columns.texts([(1, 'a"b'), (2, "c\\d"), (3, "NULL"), (4, "{,}")]) == [
        "{1,2,3,4}",
        '{"a\\"b","c\\\\d","NULL","{,}"}',
    ]


def test_of_what_is_plain_the_rest_is_not_told() -> None:
    are_plain, told = posting_columns.postings(decided(*decide(BOOK, [payment(1, "1"), transfer(1, 2, "2")])))
    assert are_plain
    assert len(told) == len(NAMES) - len(NULLS) + len(PLAIN_NULLS) + 1


def test_a_group_and_an_id_that_was_given_are_plain() -> None:
    first, second = decided(*decide(BOOK, [payment(1, "1"), transfer(1, 2, "2")]))
    queued = replace(second, id=7)
    assert arrays([first, queued])["id"] == "{NULL,7}"
    assert posting_columns.postings([first, queued]).are_plain
    assert arrays([first, second, queued], [8, 8, None])["group_id"] == "{8,8,NULL}"
    assert arrays([first, second], [8, 8])["group_id"] == "{8,8}"
    assert posting_columns.postings([first, second], [8, 8]).are_plain


def test_the_first_transaction_of_a_split_or_an_exchange_counts_it() -> None:
    paid, *legs = decided(*decide(BOOK, [payment(1, "1"), transfer(1, 2, "2"), transfer(1, 2, "3"), payment(2, "4")]))
    nothing = LeftOut(1, 2, Decimal("0.00"), "USD")
    split = Grouped(Split(1, Kind.TRANSFER, Decimal(5)), [nothing, *legs[:2]])
    exchange = Grouped(Exchange(1, 1, 2, Decimal(4)), [legs[2]])
    told = arrays([paid, *legs], [None, 8, 8, 9], [split, exchange])
    assert (told["splits"], told["exchanges"]) == ("{NULL,1,NULL,NULL}", "{NULL,NULL,NULL,1}")


def test_what_is_mostly_nothing_takes_no_room() -> None:
    told = arrays(decided(*decide(BOOK, [payment(1, "1"), transfer(1, 2, "2", key="k")])))
    assert [name for name in NAMES if told[name] == "{}"] == [name for name in NULLS if name != "idempotency_key"]


@pytest.mark.parametrize("name", [name for name in NULLS if name not in {"request", *PLAIN_NULLS}])
def test_whatever_is_mostly_nothing_and_is_something_makes_it_not_plain(name: str) -> None:
    (plain,) = decided(*decide(BOOK, [transfer(1, 2, "2")]))
    column = {column.name: column for column in (*TRANSACTION, *posting_columns.DERIVED)}[name]
    value: Any = {
        "numeric": Decimal("1.00"),
        "bigint": 7,
        "text": "k",
        "jsonb": {"a": "b"},
        "date": date(2026, 11, 22),
    }
    if column.side:
        side = replace(getattr(plain, column.side), **{column.attribute: value[column.sql]})
        changed = replace(plain, **{column.side: side})
    else:
        moment = datetime(2026, 11, 23, tzinfo=UTC)
        changed = replace(plain, **{column.attribute or name: moment if "time" in column.sql else value[column.sql]})
    are_plain, told = posting_columns.postings([plain, changed])
    assert not are_plain
    assert told[NAMES.index(name)] != "{}"


def test_what_is_rare_stands_where_its_transaction_does() -> None:
    commands: list[Command] = [transfer(1, 2, "1"), hold(1, 2, "2", key='k"'), transfer(1, 2, "3")]
    told = arrays(decided(*decide(BOOK, commands)))
    assert (told["source_held"], told["rest"]) == ("{NULL,2.00,2.00}", "{NULL,2.00,NULL}")
    assert {told[name] for name in ("id", "target_held", "parent_id", "group_id")} == {"{}"}
    assert told["idempotency_key"] == '{NULL,"k\\"",NULL}'
    assert told["expires_at"] == "{NULL,2026-11-23T10:35:00+00:00,NULL}"
    assert told["request"].startswith('{NULL,"{\\"type\\":\\"hold\\",\\"ledger_id\\":1,')
    assert told["request"].endswith('}",NULL}')


def test_a_hold_names_a_target_that_it_does_not_touch() -> None:
    told = arrays(decided(*decide(BOOK, [hold(1, 2, "2"), withdrawal(1, "1")])))
    assert told["target_account_id"] == "{2,NULL}"
    assert (told["target_balance"], told["target_version"]) == ("{NULL,NULL}", "{NULL,NULL}")


def test_equal_amounts_of_several_currencies_are_not_the_same() -> None:
    five, yen = decided(*decide(BOOK, [hold(1, 2, "5"), hold(1, 2, "5")]))
    yen = replace(yen, source=replace(source_of(five), held=Decimal(5)), rest=Decimal(5))
    told = arrays([five, yen])
    assert (told["source_held"], told["rest"]) == ("{5.00,5}", "{5.00,5}")


def test_a_request_is_kept_for_its_key_only() -> None:
    posted = decided(*decide(BOOK, [hold(1, 2, "2")]))
    assert posted[0].request is not None
    assert arrays(posted)["request"] == "{}"


def lasts(posted: Sequence[Posted]) -> list[str]:
    told = arrays(posted)
    return [told["is_sources_last"], told["is_targets_last"]]


def test_each_account_is_moved_once_by_the_last_transaction_that_touches_it() -> None:
    commands: list[Command] = [transfer(1, 2, "1"), hold(1, 2, "2"), transfer(1, 2, "3"), payment(2, "4")]
    assert lasts(decided(*decide(BOOK, commands))) == ["{False,False,True,False}", "{False,False,False,True}"]


def test_a_target_that_a_hold_only_names_is_not_moved() -> None:
    held = decided(*decide(BOOK, [hold(1, 2, "2")]))
    assert lasts(held) == ["{True}", "{False}"]
    assert lasts(decided(*decide(BOOK, [transfer(1, 2, "5"), hold(2, 1, "2")]))) == [
        "{True,True}",
        "{False,False}",
    ]


def test_who_is_outside_is_never_moved() -> None:
    posted = decided(*decide(BOOK, [payment(2, "1"), withdrawal(1, "1")]))
    assert lasts(posted) == ["{False,True}", "{True,False}"]


def test_each_hold_is_kept_once_as_the_last_transaction_leaves_it() -> None:
    held = kept(BOOK, hold(1, 2, "10"), hold(1, 2, "20"))
    outcomes = decided(
        *decide(
            held,
            [
                capture(101, "1", final=False),
                capture(102, "2", final=False),
                capture(101, "3", final=False),
                void(102),
                hold(1, None, "5"),
            ],
        )
    )
    outcomes[-1] = replace(outcomes[-1], id=110)
    assert arrays(outcomes)["rest"] == "{NULL,NULL,6.00,0,5.00}"
    assert arrays(decided(*decide(BOOK, [transfer(1, 2, "1"), hold(1, 2, "2")])))["rest"] == "{NULL,2.00}"
    assert arrays(decided(*decide(held, [void(101)])))["rest"] == "{0}"


def test_a_hold_that_is_placed_and_followed_in_one_batch_keeps_its_time() -> None:
    moment = datetime(2026, 11, 23, 10, 35, tzinfo=UTC)
    (placed,) = decided(*decide(BOOK, [hold(1, 2, "10")]))
    placed = replace(placed, id=101)
    followed = replace(placed, id=102, parent_id=101, rest=Decimal("4.00"), expires_at=None)
    assert placed.expires_at == moment
    again = replace(followed, id=103, rest=Decimal("3.00"))
    told = arrays([placed, followed, again])
    assert told["expires_at"] == f"{{{moment.isoformat()},NULL,NULL}}"
    assert (told["request"], told["rest"]) == ("{}", "{3.00,NULL,NULL}")
    ended = replace(again, id=104, rest=Decimal("0.00"))
    assert arrays([placed, followed, again, ended])["rest"] == "{0,NULL,NULL,NULL}"


def test_an_account_is_changed_once_with_the_money_that_the_whole_batch_leaves_it() -> None:
    outcomes = decide(
        BOOK,
        [
            ChangeAccount(1, 1, min_balance=Decimal(-50), email="new@example.com"),
            transfer(1, 2, "20"),
            ChangeAccount(1, 1, max_balance=None, metadata={"a": "b"}),
        ],
    )
    changed = [one for one in outcomes if isinstance(one, Changed)]
    assert columns.changes(changed, postings(outcomes)) == [
        *("{1}", "{1}", '{"new@example.com"}', "{80.00}", "{0.00}", "{1}", "{2}", "{-50.00}", "{NULL}", '{"open"}'),
        '{"{\\"a\\":\\"b\\"}"}',
        "{}",
    ]


def test_an_account_that_no_transaction_touched_keeps_its_money() -> None:
    outcomes = decide(BOOK, [ChangeAccount(1, 1, status=Status.FROZEN, expected=((0, 0),), email=UNSET)])
    changed = [one for one in outcomes if isinstance(one, Changed)]
    assert columns.changes(changed, [])[3:7] == ["{100.00}", "{0.00}", "{0}", "{1}"]


def test_a_groups_answer_is_kept_with_those_of_its_members() -> None:
    (answer,) = decide(BOOK, [group(transfer(1, 2, "1", key="m"), transfer(1, 2, "900"), atomic=False, key="g")])
    (_, keys, answers, ids, _) = columns.receipts([answer])  # type: ignore[list-item]  # it is a group's
    assert (keys, ids) == ('{"g"}', "{NULL}")
    assert answers.startswith('{"{\\"type\\":\\"grouped\\",')
    assert '\\"insufficient-funds\\"' in answers
