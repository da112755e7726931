"""A progress bar on a terminal, and nothing anywhere else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(what: str) -> Iterator[Callable[[float], None]]:
    """To be told, now and then, which part of the work is done: 0 to 1. The bar is gone at the end."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from tqdm import tqdm  # noqa: PLC0415  it takes a tenth of a second, and is needed where somebody waits for longer

    form = "{desc}: {percentage:3.0f} %|{bar}| {elapsed}"
    with tqdm(total=100, desc=what, bar_format=form, leave=False, file=sys.stderr) as shown:

        def progress(part: float) -> None:
            shown.n = round(100 * part)
            shown.refresh()

        yield progress
