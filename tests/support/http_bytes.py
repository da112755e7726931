"""Requests as bytes, right and wrong, made of one number each: most are plain, or nearly so."""

import json
from random import Random

from tests.support.ways import ACCOUNTS, BYE, cut

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

ROUTES = ["transfer", "transfer", "transfer", "split", "hold", "payment", "withdrawal", "capture", "void", "refund"]
OTHER_TARGETS = [
    "GET /account/1",
    "GET /transaction/3",
    "GET /health/live",
    "GET /nowhere",
    "HEAD /account/2",
    "PUT /transaction",
    "POST /transaction/",
    "POST //transaction",
    "POST /transaction?dry_run=true",
    "POST /transaction?dry_run=false",
    "POST /transaction?x=1",
    "POST /transaction#x",
    "POST /%74ransaction",
    "POST http://127.0.0.1/transaction",
    "POST /account/0/payment",
    "POST /account/01/payment",
    "POST /account/1%30/payment",
    "POST /account/99999999999999999999/payment",
    "POST /account/\u0661/payment",
    "POST /account//payment",
    "POST /account/%40users:1/payment",
    "POST /account/@users%3A1/payment",
    "POST /account/@users:1%2F/payment",
    "POST /account/@us\u0435rs:1/payment",
    "POST /account/@../payment",
    "PUT /account/@users:1",
    "PUT /account/1",
    "GET /account/@users:1",
    "POST /account/1/payment/",
    "POST /account",
    "POST /transaction/batch",
    "POST /exchange",
    "POST /exchange?dry_run=true",
    "post /transaction",
    "POST  /transaction",
    "POST\t/transaction",
]
VERSIONS = ["HTTP/1.0", "HTTP/1.1 ", "HTTP/2.0", "HTTP/11", "http/1.1", ""]
BODIES = [
    b"",
    b"{}",
    b"null",
    b"[]",
    b'{"amount"',
    b'{"amount": 1} ',
    b' \r\n{"amount": 1}',
    b'{"amount": 1}{"amount": 1}',
    b'{"amount": 1, "amount": 2}',
    b'{"amount": 1, "am\\u006funt": 2}',
    b'{"amount": 1, "metadata": {"a": "1", "a": "2"}}',
    b'{"amount": 1, "amout": 2}',
    b'{"amount": -1}',
    b'{"amount": 0.001}',
    b'{"amount": 1e400}',
    b'{"amount": "1e2"}',
    b'{"amount": "0.1", "metadata": {"a:b": "c:d", "\xd0\xba": "\xd0\xbe"}}',
    b'{"amount": "0.1", "metadata": {"a": null}}',
    b'{"amount": "0.1", "metadata": {"a": "\xff"}}',
    b'{"amount": ' + b"[" * 980 + b"]" * 980 + b"}",
    b'{"source_account_id": 1, "target_account_id": 1, "amount": 1}',
    b'{"source_account_id": 1, "target_account_id": null, "amount": 1}',
    b'{"source_account_id": "1", "target_account_id": 2, "amount": 1}',
    b'{"source_account_id": 99, "target_account_id": 2, "amount": 1}',
    b"\xef\xbb\xbf" + b'{"amount": 1}',
    b'{"source_account_id": 1, "amount": 1, "targets": [{"target_account_id": 2, "share": "100%"}]}',
    b'{"source_account_id": 1, "amount": 1, "targets": [{"target_account_id": 2, "share": "1/0"}]}',
    b'{"source_account_id": 1, "amount": 1, "targets": [{"target_account_id": 3, "remaining": true}], "hold": {}}',
    b'{"sources": [{"source_account_id": 1, "max": 1}, {"source_account_id": 2}], "target": "users:3", "amount": 2}',
    b'{"source_account_id": 1, "target": "users:2", "source_amount": 1, "rate": "0.5"}',
    b'{"source_account_id": 1, "target_account_id": 2, "source_amount": 1, "execute_at": "2020-01-01"}',
    b'{"transactions": [{"exchange": {"source": "users:1", "target": "users:2", "source_amount": 1, "rate": 2}}]}',
]
GOOD_LINES = [
    "Accept: */*",
    "accept-encoding: gzip, br",
    "User-Agent: curl/8.1",
    "Connection: keep-alive",
    "connection: Keep-Alive",
    "X-Request-Id: mine-1",
    "x-request-id: \ttwo words ",
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "X-Forwarded-For: 10.0.0.1, 10.0.0.2",
]
ODD_LINES = [
    "X-Other: 1",
    "Authorization: Bearer x",
    "Prefer: respond-async",
    "Prefer: wait=1",
    "Expect: 100-continue",
    "Connection: close",
    "Connection: keep-alive, close",
    "Upgrade: websocket",
    "Content-Encoding: gzip",
    "Content-Encoding: identity",
    "Transfer-Encoding: identity",
    "Idempotency-Key: ",
    "Idempotency-Key: two words",
    "Idempotency-Key: \u043a\u043b\u044e\u0447",
    "Idempotency-Key: one, two",
    "Idempotency-Key:key-1",
    "idempotency-key: key-2",
    "IDEMPOTENCY-KEY:\t key-3 \t",
    "Idempotency-Key : key-4",
    "X-Request-Id: ",
    "X-Request-Id: \x7f",
    "Host: other",
    "If-Match: *",
    "Origin: http://127.0.0.1",
    "Sec-Fetch-Site: cross-site",
    "Content-Type: text/plain",
    "Cookie: a=b",
    "no colon",
    ": no name",
    " folded: line",
    "Accept: a\r\n b",
    "Accept: a\nX-Smuggled: b",
    "Accept: a\rb",
    "Accept: \x00",
    "Content-Length: 5",
    "Content-Length: +5",
    "Content-Length: 5, 5",
    "Content-Length: 0x5",
    "Content-Length: ",
]
TYPES = ["application/json"] * 8 + [
    "application/json; charset=utf-8",
    "Application/JSON",
    "application/json;charset=UTF-8",
    "application/json; charset=latin-1",
    "application/problem+json",
    "application/x-www-form-urlencoded",
    "",
]


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
    transaction_id, body = random.randint(1, TRANSACTIONS), {}
    match route := random.choice(ROUTES):
        case "transfer" | "hold":
            body = _side(random, "source", source) | _side(random, "target", target) | {"amount": amount}
            body |= {"hold": {}} if route == "hold" else {}
            where = "/transaction"
        case "split":
            body, where = _split(random, source) | {"amount": amount}, "/transaction"
        case "payment" | "withdrawal":
            one = random.choice(NAMES) if random.random() < 0.3 else source
            body, where = {"amount": amount}, f"/account/{one}/{route}"
        case _:
            where = f"/transaction/{transaction_id}/{route}"
    if random.random() < 0.2:
        body["metadata"] = {"order": "7", "b:c": "d"}
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
