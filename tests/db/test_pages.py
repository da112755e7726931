"""A page of any list: as much as is asked for, and never more looked at than a bounded number of keys."""

from collections.abc import Sequence

import pytest

from koshel.db import pages
from koshel.db.pages import Ask, Keyed

KEYS = [{"id": n} for n in range(1, 20)]


async def walk(limit: int, *, every: int) -> list[tuple[list[int], int | None]]:
    """The pages of those of the keys that can be divided: their items, and where they end."""
    found, start = list[tuple[list[int], int | None]](), 0

    async def keys(position: int, count: int) -> Sequence[Keyed]:
        return KEYS[position : position + count]

    async def details(found: Sequence[Keyed]) -> dict[int, int]:
        return {key["id"]: key["id"] for key in found if key["id"] % every == 0}

    while True:
        page = await pages.page(keys, details, lambda _, key: int(key["id"]), Ask(limit, start=start))
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
    assert await walk(2, every=3) == [([3, 6], 6), ([9, 12], 12), ([15, 18], 18), ([], None)]


@pytest.mark.parametrize("limit", [1, 6, 18, 19, 20])
async def test_without_filters_each_page_is_full_but_the_last(limit: int) -> None:
    found = await walk(limit, every=1)
    assert [item for items, _ in found for item in items] == list(range(1, 20))
    assert all(len(items) == limit for items, _ in found[:-1])
    assert found[-1][0], "no page is empty"
