"""How fast `koshel export` and `koshel import` are, each as a process of its own, and how its memory grows.

All of a process's time counts, from its start to its end.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from bench import machine
from bench.large_writes import NotSettled
from bench.servers import environment

IMPORTED = 300_000  # transactions
IMPORT_ACCOUNTS = 10_000
POLL_S = 0.05
TENTH = 10


class Filed(Struct, frozen=True):
    """Transactions a second, and resident memory in MB after a tenth of the time and at the end."""

    per_s: float
    early_mb: float
    late_mb: float


def exported(url: str, directory: Path) -> Filed:
    """All transactions of a ledger, to JSON Lines. Raises NotSettled."""
    output = directory / "export.jsonl"
    took, memory = _run(url, ["export", "transactions", "--output", str(output)])
    with output.open("rb") as file:
        rows = sum(1 for _ in file)
    output.unlink()
    return _filed(rows, took, memory)


def imported(url: str, directory: Path, count: int = IMPORTED) -> Filed:
    """So many transfers between accounts that are named, from JSON Lines. Raises NotSettled."""
    accounts, transactions = directory / "accounts.csv", directory / "transactions.jsonl"
    with accounts.open("w") as file:
        file.write("name,email,currency,balance,max_balance\n")
        file.writelines(f"users:{one},bench@example.com,USD,1000000,none\n" for one in range(IMPORT_ACCOUNTS))
    _run(url, ["import", "accounts", str(accounts)])
    chance = random.Random(17)
    with transactions.open("w") as file:
        for number in range(count):
            source, target = chance.sample(range(IMPORT_ACCOUNTS), 2)
            amount = f"{chance.randint(1, 999) / 100:.2f}"
            file.write(
                f'{{"source":"users:{source}","target":"users:{target}","amount":"{amount}","reference":"order-{number}"}}\n'
            )
    took, memory = _run(url, ["import", "transactions", str(transactions)])
    accounts.unlink()
    transactions.unlink()
    return _filed(count, took, memory)


def _run(url: str, arguments: Sequence[str]) -> tuple[float, list[float]]:
    """The seconds that a command of Koshel's takes, and its memory in MB at intervals. Raises NotSettled."""
    memory, start = list[float](), time.monotonic()
    command = [sys.executable, "-m", "koshel", *arguments]
    settings = environment({"KOSHEL_DATABASE_URL": url})
    with subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        os.set_blocking(process.stderr.fileno(), False)
        said = b""
        while process.poll() is None:
            said += process.stderr.read() or b""
            with suppress(ValueError):  # it has just ended
                memory.append(machine.resident_mb(process.pid))
            time.sleep(POLL_S)
        took = time.monotonic() - start
        said += process.stderr.read() or b""
    if process.returncode:
        raise NotSettled(said.decode()[-500:])
    return took, memory


def _filed(count: int, took: float, memory: Sequence[float]) -> Filed:
    return Filed(count / took, memory[len(memory) // TENTH], max(memory[-TENTH:]))
