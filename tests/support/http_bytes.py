"""Requests as bytes, right and wrong, made of one number each: most are plain, or nearly so."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from tests.support.http_odds import BODIES, GOOD_LINES, ODD_LINES, OTHER_TARGETS, TYPES, VERSIONS
from tests.support.ways import ABROAD, ACCOUNTS, BYE, cut

TRANSACTIONS = 60  # ids that are referred to
# With an @, as in a path: of the accounts that are there, and then what is nobody's, or no name.
NAMES = [
    *[f"@users:{number}" for number in range(1, ACCOUNTS + 1)] * 3,
    "@nobody",
    "@1",
    "@",
    "@a b",
    "@@x",
    "@" + "a" * 101,
]
KEYS = [f"key-{number}" for number in range(8)]

ROUTES = ["transfer", "transfer", "transfer", "split", "hold", "payment", "withdrawal", "capture", "void", "refund"] * 3
ROUTES += ["exchange"]
NEXT_MONTH = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)
# What may be said beside the money; the last two of each are wrong.
LABELS: Mapping[str, Sequence[object]] = {
    "reference": ["order 7", "order-8", "\u0437\u0430\u043a\u0430\u0437", None] * 9 + ["x" * 255, "", "x" * 256],
    "description": ["rent", 'of "May"\n\u2713', None] * 9 + ["x" * 500, "", 7],
    "effective_on": ["2026-01-31", "2024-02-29", None] * 9 + ["2026-02-30", "today"],
}
# Nobody waits for it: what is due while the two ways answer would be decided by each at a time of its own.
TIMES = [NEXT_MONTH.isoformat(), f"{NEXT_MONTH:%Y-%m-%dT%H:%M:%S.5}-02:30", f"{NEXT_MONTH:%Y-%m-%d}", "soon"]


def conversation(number: int) -> list[bytes]:
    """A pipeline of requests, in pieces; the last asks to hang up."""
    random = Random(number)
    requests = [request(random) for _ in range(random.choice([1, 1, 1, 2, 3, 5]))]
    sent = b"".join(requests) + BYE
    if random.random() < 0.3:
        return [sent]
    if random.random() < 0.4:
        return [*requests, BYE]
    if random.random() < 0.3:
        return [piece for one in requests for piece in _two_writes(one)] + [BYE]
    return cut(sent, sorted(random.sample(range(1, len(sent)), min(random.choice([1, 2, 5]), len(sent) - 1))))


def request(random: Random) -> bytes:
    """One request: two in three are right."""
    is_odd = random.random() < 0.35
    target, body = _asked(random)
    version = "HTTP/1.1"
    if is_odd and random.random() < 0.3:
        target = random.choice(OTHER_TARGETS)
    if is_odd and random.random() < 0.4:
        body = random.choice(BODIES)
    if is_odd and random.random() < 0.05:
        version = random.choice(VERSIONS)
    lines = ["Host: 127.0.0.1", f"Content-Type: {random.choice(TYPES) if is_odd else TYPES[0]}", *_length(random, body)]
    if random.random() < 0.4:
        lines.append(f"Idempotency-Key: {random.choice(KEYS)}")
    lines += random.sample(GOOD_LINES, random.choice([0, 0, 1, 3]))
    if is_odd and random.random() < 0.5:
        lines += random.sample(ODD_LINES, random.choice([1, 1, 2]))
    if is_odd and random.random() < 0.1:
        lines.remove(random.choice(lines))
    random.shuffle(lines)
    return "\r\n".join([f"{target} {version}", *lines, "", ""]).encode() + body


def _length(random: Random, body: bytes) -> list[str]:
    if not body and random.random() < 0.7:
        return []
    return [f"{random.choice(['Content-Length', 'content-length'])}: {len(body)}"]


def _asked(random: Random) -> tuple[str, bytes]:
    amount = random.choice(["1", "0.10", 5, 2.5, "1000", "12.345"])
    source, target = random.randint(1, ACCOUNTS), random.randint(1, ACCOUNTS)
    transaction_id = random.randint(1, TRANSACTIONS)
    body: dict[str, object] = {}
    match route := random.choice(ROUTES):
        case "transfer" | "hold":
            body = _side(random, "source", source) | _side(random, "target", target) | {"amount": amount}
            body |= {"hold": {}} if route == "hold" else {}
            where = "/transaction"
        case "split":
            body, where = _split(random, source) | {"amount": amount}, "/transaction"
        case "exchange":
            rate = random.choice(["0.9137", 2, "1/3"])
            sides = {"source": f"users:{source}", "target_account_id": ABROAD}
            body, where = sides | {"source_amount": amount, "rate": rate}, "/exchange"
        case "payment" | "withdrawal":
            one = random.choice(NAMES) if random.random() < 0.3 else source
            body, where = {"amount": amount}, f"/account/{one}/{route}"
        case _:
            where = f"/transaction/{transaction_id}/{route}"
    if random.random() < 0.2:
        body["metadata"] = {"order": "7", "b:c": "d"}
    body |= {name: random.choice(values) for name, values in LABELS.items() if random.random() < 0.1}
    if random.random() < 0.04:
        body["execute_at"] = random.choice(TIMES)
    spaced = random.random() < 0.5
    sent = json.dumps(body, separators=None if spaced else (",", ":")).encode()
    return f"POST {where}", sent if body or random.random() < 0.5 else b""


def _split(random: Random, one: int) -> dict[str, object]:
    """From one account to several, or from several to one; now and then as holds, or what does not add up."""
    several, single = random.choice([("target", "source"), ("source", "target")])
    count = random.randint(1, 4)
    share = f"1/{count}" if random.random() < 0.95 else "99.99%"
    parts: list[dict[str, object]] = [{"share": share}] * count
    if random.random() < 0.4:
        parts[-1] = {"remaining": True}
    accounts = [random.randint(1, ACCOUNTS) for _ in parts]
    by_name = random.random() < 0.3
    sides = [{several: f"users:{id_}"} if by_name else {f"{several}_account_id": id_} for id_ in accounts]
    legs = [side | part for side, part in zip(sides, parts, strict=True)]
    hold: dict[str, object] = {"hold": {}} if random.random() < 0.2 else {}
    return _side(random, single, one) | {f"{several}s": legs} | hold


def _side(random: Random, side: str, account_id: int) -> dict[str, object]:
    """An account by its id, or now and then by a name, which may be nobody's, or no name."""
    return {side: random.choice(NAMES)[1:]} if random.random() < 0.3 else {f"{side}_account_id": account_id}


def _two_writes(one: bytes) -> list[bytes]:
    """As clients do that send the head first."""
    head, end, body = one.partition(b"\r\n\r\n")
    return [piece for piece in (head + end, body) if piece]
