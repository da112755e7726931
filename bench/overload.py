"""More load than there can be, and one key that floods: sent in an open loop, whatever is answered.

One worker, so that the load generator and PostgreSQL have the other core: a refusal costs a worker a good third of what
a transfer does, and with all cores at work it would be the generator that is overloaded.
"""

import subprocess
import sys
from collections.abc import Iterable
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from bench import servers
from bench.books import prove
from bench.contest import Contest
from bench.open_loop import Became, Stream, drive
from bench.servers import Server, ServerFailed
from koshel.api_keys import make

WORKERS = 1
OFFERED = 3.0  # times what is settled at best
LIGHT = 0.3  # of that
PRESSED = "One worker, and an open loop: requests are sent when they are due, whether or not earlier ones are answered."
RECOVERS_S = 2
WAITING = 1_000  # requests that may be under way then: what waits for a tenth of a second is settled, and not lost
QUIET = 5  # keys beside the one that floods
QUIET_LOAD = 0.1  # of the best, all of them together
FLOOD = 10  # times what all the others send together
WRONG_PER_S = 10_000  # requests with wrong keys
WRONG = 20_000  # wrong keys: more than are remembered


class Overload(Struct, frozen=True):
    """What was settled at three times the load, and what became of those who were let in."""

    best_per_s: float
    offered_per_s: float
    over_per_s: float
    light_p99_ms: float
    over_p99_ms: float
    growth: float  # of the worker's memory
    recovered: float  # of what was sent from two seconds after on, the part that was settled

    @property
    def p99_limit_ms(self) -> float:
        """What the accepted may take: 300 ms, or ten times what they take with little load."""
        return max(300.0, 10 * self.light_p99_ms)

    def __str__(self) -> str:
        return (
            f"offered {self.offered_per_s:,.0f} transfers/s: {self.over_per_s:,.0f} settled of {self.best_per_s:,.0f} "
            f"at best, p99 {self.over_p99_ms:.0f} ms against {self.light_p99_ms:.1f} ms with little load, memory "
            f"x {self.growth:.2f}, {self.recovered:.3f} settled {RECOVERS_S} s after"
        )


class Flood(Struct, frozen=True):
    """What the others notice of a key that floods."""

    alone_p99_ms: float  # the worst of them
    beside_p99_ms: float
    refused: int  # of theirs
    flood_per_s: float

    def __str__(self) -> str:
        return (
            f"beside a key with {FLOOD} x the load of all others: their p99 {self.beside_p99_ms:.1f} ms against "
            f"{self.alone_p99_ms:.1f} ms, {self.refused} of theirs refused, {self.flood_per_s:,.0f}/s of its own"
        )


class WrongKeys(Struct, frozen=True):
    """What a caller notices of requests with keys that are none, each with another one."""

    alone_p99_ms: float
    beside_p99_ms: float
    refused: int  # of the caller's
    answered_per_s: float  # requests with wrong keys

    def __str__(self) -> str:
        return (
            f"beside {WRONG_PER_S:,} requests a second with wrong keys, of which {self.answered_per_s:,.0f} were "
            f"answered: p99 {self.beside_p99_ms:.1f} ms against {self.alone_p99_ms:.1f} ms, {self.refused} refused"
        )


def overload(contest: Contest, *, seconds: int) -> Overload:
    """Offer three times what can be settled for so long."""
    with contest.databases.fresh("overload_bench") as (url,):
        with servers.koshel(url, WORKERS, contest.directory) as server:
            best, light = _best(contest, server)
            over = Stream("over", server.port, OFFERED * best, seconds, connections=2_000)
            drive([replace(over, ends_s=contest.plan.warm_up_s)])
            before_mb = server.worker_mb()
            starts_s = seconds + RECOVERS_S
            after = Stream("after", server.port, 0.8 * best, starts_s + 4, starts_s, connections=WAITING)
            became = drive([over, after])
            growth = server.worker_mb() / before_mb
        contest.prove(partial(prove, url))
    accepted, later = became["over"], became["after"]
    recovered = later.made / max(later.sent + later.unsent, 1)
    offered, settled = accepted.sent / seconds, accepted.made / seconds
    return Overload(best, offered, settled, light, accepted.p99_ms, growth, recovered)


def flood(contest: Contest) -> Flood:
    """Beside a key that floods, and alone."""
    plan = contest.plan
    with contest.databases.fresh("flood_bench") as (url,):
        keys = [_key(url) for _ in range(QUIET + 1)]
        with servers.koshel(url, WORKERS, contest.directory) as server:
            best, _ = _best(contest, server, keys[0])
            ends_s = 2.0 * plan.run_s
            quiet = [
                Stream(f"quiet-{n}", server.port, QUIET_LOAD * best / QUIET, ends_s, 0.0, 64, _bearer(key))
                for n, key in enumerate(keys[1:])
            ]
            one = Stream("flood", server.port, FLOOD * QUIET_LOAD * best, ends_s, 0.0, 1_000, _bearer(keys[0]))
            alone, beside = drive(quiet), drive([*quiet, one])
        contest.prove(partial(prove, url))
    others = [beside[stream.name] for stream in quiet]
    refused = sum(became.unsent + sum(became.refused.values()) for became in others)
    worst = _worst(alone.values()), _worst(others)
    return Flood(*worst, refused, beside["flood"].made / ends_s)


def wrong_keys(contest: Contest) -> WrongKeys:
    """Beside a flood of wrong keys, and alone."""
    ends_s = 2.0 * contest.plan.run_s
    with contest.databases.fresh("wrong_bench") as (url,):
        key = _key(url)
        with servers.koshel(url, WORKERS, contest.directory) as server:
            best, _ = _best(contest, server, key)
            good = Stream("good", server.port, QUIET_LOAD * best, ends_s, 0.0, 256, _bearer(key))
            tokens = [make() for _ in range(WRONG)]
            wrong = Stream("wrong", server.port, WRONG_PER_S, ends_s, 0.0, 1_000, tokens=tokens)
            alone, beside = drive([good])["good"], drive([good, wrong])
        contest.prove(partial(prove, url))
    became = beside["good"]
    refused = became.unsent + sum(became.refused.values())
    return WrongKeys(alone.p99_ms, became.p99_ms, refused, sum(beside["wrong"].refused.values()) / ends_s)


def _worst(became: Iterable[Became]) -> float:
    return max(one.p99_ms for one in became)


def _best(contest: Contest, server: Server, key: str = "") -> tuple[float, float]:
    """Transfers a second at best, over connections that each wait for an answer; p99 with little load."""
    plan, port, bearer = contest.plan, server.port, _bearer(key) if key else ""
    drive([Stream("warm-up", port, 0, plan.warm_up_s, headers=bearer)])
    best = drive([Stream("best", port, 0, plan.run_s, headers=bearer)])["best"].made / plan.run_s
    light = drive([Stream("light", port, LIGHT * best, plan.run_s, headers=bearer)])["light"]
    return best, light.p99_ms


def _bearer(key: str) -> str:
    return f"\r\nAuthorization: Bearer {key}"


def _key(url: str) -> str:
    command = [sys.executable, "-m", "koshel", "key", "create", "--scope", "write"]
    environment = servers.environment({"KOSHEL_DATABASE_URL": url})
    made = subprocess.run(command, env=environment, capture_output=True, check=False, text=True)
    if made.returncode:
        raise ServerFailed(made.stderr)
    return made.stdout.strip()
