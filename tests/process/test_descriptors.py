"""How many connections the limit of file descriptors allows."""

import os
import resource
from collections.abc import Callable

import pytest

from koshel.config.settings import Settings, SettingsError
from koshel.descriptors import CONNECTIONS_MAX, RESERVE, connections_max

SETTINGS = Settings(workers=2, settle_connections=8, read_connections=4)
NEEDED = RESERVE + 2 * SETTINGS.connections_per_worker + 2
ASKED_FOR = Settings(workers=2, settle_connections=8, read_connections=4, connections_max=300)


def in_a_process(soft: int, hard: int, check: Callable[[], bool]) -> bool:
    """Whether something is true in a process with these limits."""
    child = os.fork()
    if not child:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


def soft_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@pytest.mark.parametrize(
    ("soft", "hard", "settings", "allows"),
    [
        (200, 200, SETTINGS, lambda most: 1 <= most <= 200 - NEEDED),
        (200, 1_000, SETTINGS, lambda most: 200 < most <= 1_000 - NEEDED),
        (1_000, 1_000, ASKED_FOR, lambda most: most == 300),
        (200, 1_000, ASKED_FOR, lambda most: most == 300),
        (200, 20_000, SETTINGS, lambda most: most == CONNECTIONS_MAX),
    ],
)
def test_connections_and_all_else_fit_into_the_limit(
    soft: int, hard: int, settings: Settings, allows: Callable[[int], bool]
) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] not in range(hard):
        assert in_a_process(soft, hard, lambda: allows(connections_max(settings)))
        assert in_a_process(soft, hard, lambda: connections_max(settings) + NEEDED <= soft_limit() <= hard)


def test_the_limit_is_not_raised_further_than_it_must_be() -> None:
    assert in_a_process(200, 1_000, lambda: connections_max(ASKED_FOR) < soft_limit() < 600)
    assert in_a_process(1_000, 1_000, lambda: connections_max(ASKED_FOR) == 300 and soft_limit() == 1_000)


@pytest.mark.parametrize(("limit", "settings", "wanted"), [(60, SETTINGS, 1), (320, ASKED_FOR, 300)])
def test_what_does_not_fit_is_refused_by_name(limit: int, settings: Settings, wanted: int) -> None:
    def refused() -> bool:
        with pytest.raises(SettingsError) as caught:
            connections_max(settings)
        text = str(caught.value)
        return (
            text.startswith("KOSHEL_CONNECTIONS_MAX:") and f"with {wanted} connections" in text and f"{limit}" in text
        )

    assert in_a_process(limit, limit, refused)
