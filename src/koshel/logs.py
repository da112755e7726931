"""Logs: structlog for what happens, on standard error, as JSON or for a console."""

import logging
import sys
from typing import Any, Literal

import structlog

from koshel.streams import LineStream, Streams, open_streams

Format = Literal["auto", "json", "console"]


def as_json(chosen: Format) -> bool:
    """Whether to write JSON: as chosen, else unless somebody is watching standard error."""
    return chosen == "json" or (chosen == "auto" and not sys.stderr.isatty())


def configure(chosen: Format, level: str, buffer_bytes_max: int) -> Streams:
    """Set structlog up, and send the standard library's loggers through it."""
    streams = open_streams(buffer_bytes_max, as_json=as_json(chosen))
    _configure_structlog(LineStream(streams.err), level, as_json=streams.as_json)
    return streams


def _configure_structlog(stream: LineStream, level: str, *, as_json: bool) -> None:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    # Without local variables: among them are bodies and headers, which are nobody's to read here.
    plain = structlog.dev.plain_traceback
    renderers: list[Any] = [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)]
    if as_json:
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        renderers = [structlog.processors.ExceptionRenderer(frames), structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.getLogger("yoyo").setLevel(logging.WARNING)  # it tells of every statement
