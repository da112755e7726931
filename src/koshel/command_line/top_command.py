"""`koshel top`, as the command line asks for it."""

from collections.abc import Mapping
from typing import Any

from koshel.command_line.commands import CommandError
from koshel.config import address, extras
from koshel.config.settings import Settings

EVERY_MIN_S, EVERY_MAX_S = 0.2, 86_400.0


def top(chosen: Settings, options: Mapping[str, Any]) -> int:
    """Show what a service does, until interrupted or once. Raises CommandError."""
    url = options["url"]
    for name in ("host", "port"):
        if url is not None and options[name] is not None:
            raise CommandError(f"--{name} and a URL both say where the service is: give one of them")
    try:
        from rich.console import Console  # noqa: PLC0415  who does not watch needs none of it
    except ImportError as error:
        raise CommandError(f"koshel top draws with rich: {extras.how_to_install('top')}") from error
    from koshel.command_line import top as view  # noqa: PLC0415
    from koshel.telemetry.readings import NotReadable  # noqa: PLC0415

    if url is None:
        url = address.url(chosen.host.strip("[]"), chosen.port)
    try:
        view.watch(Console(), url, options["key_file"], options["every"], once=options["once"])
    except NotReadable as error:
        raise CommandError(str(error)) from error
    return 0
