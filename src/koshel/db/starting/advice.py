"""Settings of a PostgreSQL server that make busy or large books slower, and what would be better.

After each checkpoint the first change of a page writes the whole page to the WAL. In large books nearly every transfer
changes pages that no other has changed since. So checkpoints should be far apart, and a full page cheap to write.
"""

from collections.abc import Mapping

MAX_WAL_MB = 4_096
CHECKPOINT_S = 900
BUFFERS = 256 * 1024 // 8  # pages of 8 kB


def advice(settings: Mapping[str, str]) -> list[str]:
    """What could be better, a sentence for each setting. `settings` are those of `read_speed_settings`."""
    return [sentence for name, sentence in _SENTENCES.items() if _is_slow(name, settings[name])]


def _is_slow(name: str, value: str) -> bool:
    match name:
        case "wal_compression":
            return value in {"on", "pglz"}
        case "max_wal_size":
            return int(value) < MAX_WAL_MB
        case "checkpoint_timeout":
            return int(value) < CHECKPOINT_S
        case _:
            return int(value) < BUFFERS


_SENTENCES = {
    "wal_compression": "wal_compression is pglz, which takes much of a processor: set it to lz4, or off",
    "max_wal_size": "max_wal_size is less than 4 GB: under load checkpoints come often",
    "checkpoint_timeout": "checkpoint_timeout is less than 15 minutes: checkpoints come often",
    "shared_buffers": "shared_buffers is less than 256 MB: a quarter of the server's memory is usual",
}
