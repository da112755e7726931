"""An issuer of JWTs: keys to sign with, the JWKS that shows them, and a server of it on loopback."""

import json
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from koshel.access import signing_keys
from koshel.access.jwts import Terms
from koshel.access.signing_keys import SigningKeys

AUDIENCE = "koshel"
ISSUER = "https://login.example.com/"
TERMS = Terms(ISSUER, AUDIENCE, "koshel_ledger", "scope")
_CURVES: dict[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


class Signer(NamedTuple):
    """A key with its name, to sign with."""

    id: str
    algorithm: str
    private: Any

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key, as a JWKS has it."""
        kind: Any = {"R": RSAAlgorithm, "P": RSAAlgorithm, "E": ECAlgorithm}[self.algorithm[0]]
        kind = OKPAlgorithm if self.algorithm == "EdDSA" else kind
        members: dict[str, Any] = kind.to_jwk(self.private.public_key(), as_dict=True)
        members.pop("key_ops", None)
        return members | {"kid": self.id, "use": "sig", "alg": self.algorithm}

    def sign(self, headers: dict[str, Any] | None = None, /, **claims: Any) -> str:
        """A JWT of this key: with all that a right one needs, but for what is said otherwise; `None` leaves it out."""
        now = int(time.time())
        said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "till-7", "exp": now + 600, "iat": now}
        said |= {"scope": "openid koshel:write", "koshel_ledger": "main"} | claims
        known = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(known, self.private, self.algorithm, {"kid": self.id} | (headers or {}))


def signer(name: str, algorithm: str = "EdDSA", bits: int = 2_048) -> Signer:
    """A new key."""
    if algorithm == "EdDSA":
        return Signer(name, algorithm, ed25519.Ed25519PrivateKey.generate())
    if algorithm in _CURVES:
        return Signer(name, algorithm, ec.generate_private_key(_CURVES[algorithm]))
    return Signer(name, algorithm, rsa.generate_private_key(public_exponent=65_537, key_size=bits))


@cache
def rsa_signer() -> Signer:
    """A key for RS256, made once: that takes a while."""
    return signer("rsa", "RS256")


def jwks(*signers: Signer) -> bytes:
    """The JWKS of these keys."""
    return document(*(one.jwk for one in signers))


def document(*keys: Any) -> bytes:
    """A JWKS of these members."""
    return json.dumps({"keys": list(keys)}).encode()


def public_keys(*signers: Signer) -> SigningKeys:
    """These keys, as the service knows them."""
    return signing_keys.read(jwks(*signers))


class JwksServer:
    """A server that shows a JWKS, and the configuration that names it; it counts how often it is asked."""

    def __init__(self) -> None:
        self.signers: Sequence[Signer] = ()
        self.asked: list[str] = []
        self.pause_s = 0.0
        self.status = 200
        self.body: bytes | None = None  # instead of the JWKS
        self.headers: dict[str, str] = {}
        self.configuration: dict[str, Any] = {}  # what it says otherwise
        self.url = ""  # where it is: its issuer

    def answer(self, path: str) -> bytes:
        """What is at this path."""
        if path == "/.well-known/openid-configuration":
            return json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | self.configuration).encode()
        return jwks(*self.signers) if self.body is None else self.body


@contextmanager
def jwks_server(context: ssl.SSLContext | None = None) -> Iterator[JwksServer]:
    """It runs for as long as the block lasts; with a context it speaks TLS."""
    server = JwksServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            time.sleep(server.pause_s)
            body = server.answer(self.path)
            self.send_response(server.status)
            for name, value in server.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        listening.socket = context.wrap_socket(listening.socket, server_side=True)
    server.url = f"http{'' if context is None else 's'}://127.0.0.1:{listening.server_address[1]}"
    thread = Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
