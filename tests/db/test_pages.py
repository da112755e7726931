"""A page of any list: as much as is asked for, and never more looked at than a bounded number of keys."""

import asyncio
from collections.abc import Sequence

import pytest

from koshel.db.reading import pages
from koshel.db.reading.pages import Ask, Key, Keyed
from koshel.db.reading.wanted import BadPosition, Order

KEYS = [{"id": n} for n in range(1, 20)]


async def walk(limit: int, *, every: int) -> list[tuple[list[int], int | None]]:
    """The pages of those of the keys that can be divided: their items, and where they end."""
    found, start = list[tuple[list[int], int | None]](), 0

    async def keys(position: int, count: int) -> Sequence[Keyed]:
        return KEYS[position : position + count]

    async def details(found: Sequence[Key]) -> Sequence[int | None]:
        return [key.row["id"] if key.row["id"] % every == 0 else None for key in found]

    while True:
        page = await pages.page([keys], details, lambda _, key: int(key["id"]), Ask(limit, "asc", start), 0)
        found.append((page.items, page.ends_at))
        if page.ends_at is None:
            return found
        start = page.ends_at


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "KEYS_MAX", 4)
    monkeypatch.setattr(pages, "KEYS_AT_ONCE", 2)


async def test_a_page_that_has_to_look_at_much_is_shorter_and_says_where_the_next_goes_on() -> None:
    found = await walk(1, every=10)
    assert found == [([], 4), ([], 8), ([10], 12), ([], 16), ([], None)]


async def test_a_page_goes_on_after_its_last_item() -> None:
    assert await walk(1, every=2) == [([n], n + 1) for n in range(2, 18, 2)] + [([18], None)]


async def test_a_page_of_which_too_little_is_wanted_is_short_and_no_item_is_lost() -> None:
    assert await walk(2, every=3) == [([3], 4), ([6], 8), ([9, 12], 12), ([15], 16), ([18], None)]


@pytest.mark.parametrize("limit", [1, 6, 18, 19, 20])
async def test_without_filters_each_page_is_full_but_the_last(limit: int) -> None:
    found = await walk(limit, every=1)
    assert [item for items, _ in found for item in items] == list(range(1, 20))
    assert all(len(items) == limit for items, _ in found[:-1])
    assert found[-1][0], "no page is empty"


@pytest.mark.parametrize(
    ("limit", "every", "most", "asked"),
    [
        (50, 10_000, 300, [51, 249]),
        (1, 10_000, 300, [2, 16, 128, 154]),
        (50, 10_000, 1_000, [51, 408, 500, 41]),
        (500, 10_000, 300, [501]),
        (50, 1, 300, [51]),
        (50, 2, 300, [51, 67]),
        (50, 17, 300, [51, 249]),
    ],
    ids=["nothing", "nothing of one", "nothing of more", "nothing of many", "everything", "half", "a few"],
)
async def test_a_page_looks_at_few_keys_first_and_then_at_as_many_as_are_probably_enough(
    monkeypatch: pytest.MonkeyPatch, limit: int, every: int, most: int, asked: list[int]
) -> None:
    monkeypatch.setattr(pages, "KEYS_AT_ONCE", 500)
    counts = list[int]()

    async def keys(position: int, count: int) -> Sequence[Keyed]:
        counts.append(count)
        return [{"id": n} for n in range(position + 1, position + count + 1)]

    async def details(found: Sequence[Key]) -> Sequence[int | None]:
        return [key.row["id"] if key.row["id"] % every == 0 else None for key in found]

    page = await pages.page([keys], details, lambda _, key: int(key["id"]), Ask(limit, "asc"), 0, most=most)
    assert counts == asked
    expected = [n for n in range(1, sum(asked) + 1) if n % every == 0]
    assert page.items == expected[:limit]
    assert page.ends_at == (sum(asked) if len(expected) <= limit else expected[limit] - 1)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 30])
async def test_sources_are_merged_each_from_a_position_of_its_own(limit: int, order: Order) -> None:
    is_down = order == "desc"
    lists = [sorted(rows, reverse=is_down) for rows in ([2, 3, 5, 7, 11], [], [1, 4, 6, 8, 9, 10, 12, 13, 14], [15])]

    def source(rows: list[int]) -> pages.Keys[int]:
        async def keys(position: int, count: int) -> Sequence[Keyed]:
            return [{"id": row} for row in rows if (row < position if is_down else row > position)][:count]

        return keys

    async def details(found: Sequence[Key]) -> Sequence[tuple[int, int] | None]:
        return [(key.source, key.row["id"]) if key.row["id"] != 4 else None for key in found]

    items, start = list[tuple[int, int]](), None
    while True:
        ask = Ask(limit, order, start)
        found = await pages.page(
            [source(rows) for rows in lists], details, lambda _, key: int(key["id"]), ask, 99 if is_down else 0
        )
        items += found.items
        if found.ends_at is None:
            break
        assert len(found.ends_at) == len(lists)
        start = found.ends_at
    expected = [(index, row) for index, rows in enumerate(lists) for row in rows if row != 4]
    assert items == sorted(expected, key=lambda one: one[1], reverse=is_down)


@pytest.mark.parametrize("start", [(1, 2), [1], (), 5])
async def test_a_position_of_a_page_with_other_sources_is_bad(start: object) -> None:
    async def keys(position: int, count: int) -> Sequence[Keyed]:
        return KEYS[position : position + count]

    async def details(found: Sequence[Key]) -> Sequence[int]:
        return [key.row["id"] for key in found]

    with pytest.raises(BadPosition):
        await pages.page([keys] * 3, details, lambda _, key: int(key["id"]), Ask(1, "asc", start), 0)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 30])
async def test_what_is_made_of_rows_is_all_of_it_and_meanwhile_others_are_answered(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(pages, "MADE_AT_ONCE", 7)
    answered = 0

    async def answer() -> None:
        nonlocal answered
        while True:
            await asyncio.sleep(0)
            answered += 1

    others = asyncio.create_task(answer())
    await asyncio.sleep(0)
    assert await pages.by_id([{"id": n} for n in range(count)], lambda row: -row["id"]) == {n: -n for n in range(count)}
    others.cancel()
    assert answered == max(count - 1, 0) // 7
