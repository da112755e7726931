"""The load: wrk over loopback, with the requests of the scripts beside this file."""

import itertools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bench.books import ACCOUNTS, BATCH

SCRIPTS = Path(__file__).parent
THREADS = 1  # wrk shares the cores with what it measures, and one thread is far from busy
ENDS_WITHIN_S = 30  # after its time is up
_runs = itertools.count(1)


class LoadFailed(Exception):
    """wrk is missing, or failed."""


class Shape(Struct, frozen=True):
    """Who pays whom, over how many connections, with or without idempotency keys."""

    distribution: str  # uniform, zipf, hot
    connections: int
    keys: bool
    accounts: int = ACCOUNTS

    def __str__(self) -> str:
        return f"{self.distribution}, {self.connections} connections, {'with' if self.keys else 'without'} keys"


class Traffic(Struct, frozen=True):
    """What each connection asks for, over and over; the script counts it in units."""

    script: str
    rows: int = 1  # transactions in the books for each unit
    weight: int = 1  # transactions that a connection may have under way when time is up
    argument: str = ""  # the script's last but two
    tokens: str = ""  # a file with a bearer token in each line; empty: none is sent
    names: str = ""  # `names`: accounts are asked for by name
    settles_s: float = 0.1  # for the last answers of a run, which wrk does not wait for


TRANSFERS = Traffic("transfer.lua")
ENQUEUED = Traffic("transfer.lua", argument="later")  # with Prefer: respond-async
BATCHES = Traffic("batch.lua", weight=BATCH, argument=str(BATCH), settles_s=0.5)  # a unit is a transfer in one
KEYED_BATCHES = replace(BATCHES, argument=f"{BATCH} keyed")  # each transfer has a key of its own too
PAIRS = Traffic("hold.lua", rows=2, weight=2)  # a unit is a hold and its capture


class Load(Struct, frozen=True):
    """What wrk counted."""

    units: int
    seconds: float
    p50_ms: float  # of one request
    p99_ms: float
    refused: int  # answers of status 400 and up; of a script that looks at them all, whatever was not wanted
    broken: int  # connections that failed, and answers that took longer than wrk waits

    @property
    def per_s(self) -> float:
        """Units a second."""
        return self.units / self.seconds

    @property
    def failures(self) -> int:
        """What makes the run invalid."""
        return self.refused + self.broken


def drive(url: str, shape: Shape, seconds: int, traffic: Traffic = TRANSFERS) -> Load:
    """Send requests for so long. Raises LoadFailed."""
    run = f"r{next(_runs)}"
    command = [
        *(_wrk(), "--threads", str(min(THREADS, shape.connections)), "--connections", str(shape.connections)),
        *("--duration", f"{seconds}s", "--timeout", f"{ENDS_WITHIN_S}s"),
        *("--script", str(SCRIPTS / traffic.script), url, "--"),
        *(
            str(shape.accounts),
            shape.distribution,
            "yes" if shape.keys else "no",
            run,
            traffic.argument,
            traffic.tokens,
        ),
        traffic.names,
    ]
    try:
        done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=seconds + ENDS_WITHIN_S)
    except subprocess.CalledProcessError as error:
        raise LoadFailed(f"wrk ended with {error.returncode}: {error.stderr!s}") from error
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(f"wrk did not end {ENDS_WITHIN_S} s after its time was up") from error
    try:
        return msgspec.json.decode(done.stdout.splitlines()[-1], type=Load)
    except (IndexError, msgspec.MsgspecError) as error:
        raise LoadFailed(f"{traffic.script} counted nothing: {done.stdout!s} {done.stderr!s}") from error


def shapes(*, quick: bool) -> Iterator[Shape]:
    """Those to be measured, in order: Zipf's only where it is busiest. Quick: only the extremes."""
    distributions, connections = (("uniform", "hot"), (1, 256)) if quick else (("uniform", "zipf", "hot"), (1, 64, 256))
    for distribution, count, keys in itertools.product(distributions, connections, (False, True)):
        if not (quick and keys and count == 1) and not (distribution == "zipf" and count < 256):
            yield Shape(distribution, count, keys)


def _wrk() -> str:
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LoadFailed("wrk is not installed: apt-get install wrk")
    return wrk
