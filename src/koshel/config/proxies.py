"""Proxies that are believed: who the client is that sent them a request.

    client ──▶ proxy ──▶ proxy ──▶ service      X-Forwarded-For: <what the client said>, <client>, <first proxy>
                                                                  never believed ──┘       read from here to the left

From right to left, each name was written by the one to its right. The first that is no trusted proxy is the client;
what stands to the left of it is only what the client says.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from multidict import MultiMapping

Networks: TypeAlias = Sequence[IPv4Network | IPv6Network]

_HEADERS = "Forwarded", "X-Forwarded-For"
_NAMELESS = frozenset({"via", "x-forwarded-host", "x-forwarded-proto"})  # say that there is a proxy, and not for whom
SAY_PASSED_ON = _NAMELESS | {"forwarded", "x-forwarded-for", "x-real-ip"}  # or may say so
HOPS_MAX = 20  # that are looked at


def networks(text: str) -> Networks:
    """The networks that a list names; an address is a network of one. Raises ValueError."""
    found = []
    for one in filter(None, map(str.strip, text.split(","))):
        try:
            found.append(ip_network(one))
        except ValueError as error:
            message = f"`trusted_proxies` must name addresses and networks such as 10.0.0.0/8, not {one}: {error}"
            raise ValueError(message) from None
    return found


class Proxies:
    """The proxies that one service trusts."""

    def __init__(self, text: str) -> None:
        self._networks = networks(text)
        self._trusts = lru_cache(maxsize=1_024)(self._is_trusted)

    def trusts(self, peer: str | None) -> bool:
        """Whether a peer is one of them."""
        return bool(self._networks) and peer is not None and self._trusts(peer)

    def client(self, peer: str | None, forwarded: str | None, x_forwarded_for: str | None) -> str | None:
        """The address of the client behind a peer, by the values of `Forwarded` and `X-Forwarded-For`.

        A proxy writes one of the two, and may pass on what a client wrote into the other. So if both came, they are
        believed only if they agree; else it is the peer's own address that is known.
        """
        if not self.trusts(peer):
            return peer
        found = {self._first_stranger(peer, _hops(forwarded))} if forwarded is not None else set()
        if x_forwarded_for is not None:
            found.add(self._first_stranger(peer, _names(x_forwarded_for)))
        return found.pop() if len(found) == 1 else peer

    def client_of(self, peer: str | None, headers: MultiMapping[str]) -> str | None:
        """The same, by all of a request's headers."""
        if not self.trusts(peer):
            return peer
        said = (", ".join(headers.getall(name, ())) if name in headers else None for name in _HEADERS)
        return self.client(peer, *said)

    def _first_stranger(self, peer: str | None, names: Iterator[str]) -> str | None:
        known = peer
        for _, name in zip(range(HOPS_MAX), names, strict=False):
            address = _address(name)
            if address is None:  # it hides its client's, or is broken: to the left of it nothing is known
                break
            known = address
            if not self._trusts(address):
                break
        return known

    def _is_trusted(self, address: str) -> bool:
        plain = _address(address)
        return plain is not None and any(ip_address(plain) in network for network in self._networks)


def is_passed_on(headers: MultiMapping[str]) -> bool:
    """Whether a request says by SAY_PASSED_ON that a proxy passes it on, and not that it does so for this machine.

    Who says so only loses by it.
    """
    if any(name in headers for name in _NAMELESS):
        return True
    named = [
        *_hops(", ".join(headers.getall("Forwarded", ()))),
        *_names(", ".join(headers.getall("X-Forwarded-For", ()))),
        *_names(", ".join(headers.getall("X-Real-IP", ()))),
    ]
    addresses = [_address(name) for name in named]
    return any(address is None or not ip_address(address).is_loopback for address in addresses)


def _names(text: str) -> Iterator[str]:
    """What a list names, from right to left."""
    while text:
        text, _, name = text.rpartition(",")
        yield name.strip(" \t")


def _hops(text: str) -> Iterator[str]:
    """The `for` of each element of a Forwarded header; empty where it has none, or more than one.

    No address has a comma, so each element can be read by itself, whatever stands to the left of it.
    """
    for element in _names(text):
        pairs = [pair.partition("=") for pair in element.split(";")]
        named = [value.strip(" \t").strip('"') for name, _, value in pairs if name.strip(" \t").lower() == "for"]
        yield named[0] if len(named) == 1 else ""


def _address(name: str) -> str | None:
    """The address that a name is, without its port; None if it is none."""
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
