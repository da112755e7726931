"""Addresses: IPv4, IPv6 and names, as they are typed; and as URLs, as they are printed."""

import errno
import socket
from typing import Any

import pytest

from koshel.config import address
from koshel.config.address import is_loopback
from tests.support import ipv6

# What is listened on, where it is reached, and where not.
IPV4 = [
    ("127.0.0.1", ["127.0.0.1"], ["::1"]),
    ("0.0.0.0", ["127.0.0.1"], ["::1"]),
    ("localhost", ["127.0.0.1"], ["::1"]),
]
IPV6 = [
    ("::1", ["::1"], ["127.0.0.1"]),
    ("[::1]", ["::1"], ["127.0.0.1"]),
    ("::", ["::1", "127.0.0.1"], []),
    ("[::]", ["::1", "127.0.0.1"], []),
]
EACH = ["127.0.0.1", "[::1]"] if ipv6.HERE else ["127.0.0.1"]
ALL = IPV4 + IPV6 if ipv6.HERE else IPV4


def reaches(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(("host", "reached", "not_reached"), ALL)
def test_an_address_is_listened_on_as_it_is_typed(host: str, reached: list[str], not_reached: list[str]) -> None:
    with address.server(host, 0, reuse_port=True) as one:
        port = one.getsockname()[1]
        assert all(reaches(at, port) for at in reached)
        assert not any(reaches(at, port) for at in not_reached)


@pytest.mark.parametrize("host", EACH)
def test_workers_share_a_port_of_either_kind(host: str) -> None:
    with address.server(host, 0, reuse_port=True) as one:
        port = one.getsockname()[1]
        with address.server(host, port, reuse_port=True) as another:
            assert another.getsockname()[1] == port


@pytest.mark.parametrize(
    ("name", "url"),
    [
        (("127.0.0.1", 8080), "http://127.0.0.1:8080"),
        (("::1", 8080, 0, 0), "http://[::1]:8080"),
        (("::", 80, 0, 0), "http://[::]:80"),
    ],
)
def test_an_address_is_printed_as_a_url(name: tuple[Any, ...], url: str) -> None:
    assert address.url_of(name) == url


@pytest.mark.parametrize("host", EACH)
def test_an_address_in_use_is_refused_with_its_url(host: str) -> None:
    with address.server(host, 0) as one:
        port = one.getsockname()[1]
        with pytest.raises(address.CannotListen) as refused:
            address.server(host, port)
    assert str(refused.value) == f"cannot listen on http://{host}:{port}: Address already in use"
    assert refused.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("host", ["a..b", ".", "a" * 64, f"{'ä' * 60}.example"])
def test_what_can_be_no_name_is_refused_like_one_that_nobody_has(host: str) -> None:
    with pytest.raises(address.CannotListen) as refused:
        address.server(host, 8080)
    assert str(refused.value).startswith(f"cannot listen on http://{host}:8080: ")
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("no.such.name.invalid", "cannot listen on http://no.such.name.invalid:8080: "),
        ("192.0.2.1", "cannot listen on http://192.0.2.1:8080: Cannot assign requested address"),
        ("2001:db8::1", "cannot listen on http://[2001:db8::1]:8080: Cannot assign requested address"),
    ],
)
def test_an_address_that_is_not_this_machine_s_is_refused_with_its_url(host: str, said: str) -> None:
    with pytest.raises(address.CannotListen) as refused:
        address.server(host, 8080)
    assert str(refused.value).startswith(said)
