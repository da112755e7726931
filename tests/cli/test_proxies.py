"""Proxies that are believed: from right to left, and no further than to the first stranger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from koshel.config.proxies import HOPS_MAX, Proxies, networks
from koshel.config.settings import SettingsError
from koshel.config.settings_text import read

PROXY = "10.0.0.1"
KNOWN = Proxies("10.0.0.0/8, 2001:db8::/32,192.0.2.1")
# What came in each of the two headers, and who the client is.
SAID = [
    (None, None, PROXY),
    (None, "203.0.113.7", "203.0.113.7"),
    (None, "1.1.1.1, 203.0.113.7", "203.0.113.7"),
    (None, "203.0.113.7, 10.2.3.4, 192.0.2.1", "203.0.113.7"),
    (None, "10.2.3.4, 10.9.9.9", "10.2.3.4"),  # a client that is a proxy's neighbour
    (None, "203.0.113.7:4711", "203.0.113.7"),
    (None, "[2001:db9::1]:4711", "2001:db9::1"),
    (None, "2001:db9::1", "2001:db9::1"),
    (None, "2001:db9::1, 2001:db8::5", "2001:db9::1"),
    (None, "::ffff:203.0.113.7", "203.0.113.7"),
    (None, "203.0.113.7, unknown, 10.1.1.1", "10.1.1.1"),
    (None, "unknown", PROXY),
    (None, "", PROXY),
    (None, ",,,", PROXY),
    (None, "1.1.1.1, ", PROXY),
    ("for=203.0.113.7", None, "203.0.113.7"),
    ('For="[2001:db9::1]:4711";proto=https;by=10.0.0.1', None, "2001:db9::1"),
    ("for=1.1.1.1, for=203.0.113.7;by=10.0.0.1", None, "203.0.113.7"),
    ('for="1.1.1.1, for=203.0.113.7', None, "203.0.113.7"),  # a quote that the client has opened
    ('for="_hidden"', None, PROXY),
    ("for=1.1.1.1;for=2.2.2.2", None, PROXY),
    ("by=10.0.0.1;proto=http", None, PROXY),
    ("for=203.0.113.7", "203.0.113.7", "203.0.113.7"),
    ("for=1.1.1.1", "203.0.113.7", PROXY),  # one of them is the client's own: nobody knows which
]


@pytest.mark.parametrize(("forwarded", "x_forwarded_for", "client"), SAID)
def test_the_first_stranger_from_the_right_is_the_client(
    forwarded: str | None, x_forwarded_for: str | None, client: str
) -> None:
    assert KNOWN.client(PROXY, forwarded, x_forwarded_for) == client
    headers = CIMultiDict[str]()
    for name, value in (("Forwarded", forwarded), ("X-Forwarded-For", x_forwarded_for)):
        for line in [] if value is None else value.split(","):  # a header may come in several lines
            headers.add(name, line)
    assert KNOWN.client_of(PROXY, headers) == client


@pytest.mark.parametrize("peer", ["203.0.113.9", "11.0.0.1", "2001:db9::1", "192.0.2.2", "", None])
@pytest.mark.parametrize(("forwarded", "x_forwarded_for"), [one[:2] for one in SAID])
def test_a_peer_that_is_not_listed_is_the_client_whatever_it_says(
    peer: str | None, forwarded: str | None, x_forwarded_for: str | None
) -> None:
    assert KNOWN.client(peer, forwarded, x_forwarded_for) == peer
    assert Proxies("").client(PROXY, forwarded, x_forwarded_for) == PROXY


def test_a_chain_is_followed_for_so_many_hops_and_no_more() -> None:
    assert KNOWN.client(PROXY, None, ", ".join(["203.0.113.7"] + ["10.0.0.2"] * HOPS_MAX)) == "10.0.0.2"
    assert KNOWN.client(PROXY, None, ", ".join(["203.0.113.7"] + ["10.0.0.2"] * (HOPS_MAX - 1))) == "203.0.113.7"


@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_a_client_says_before_it_the_proxys_own_word_counts(forwarded: str, x_forwarded_for: str) -> None:
    assert KNOWN.client(PROXY, f"{forwarded}, for=203.0.113.7", None) == "203.0.113.7"
    assert KNOWN.client(PROXY, None, f"{x_forwarded_for}, 203.0.113.7") == "203.0.113.7"


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), (" , ", 0), ("::1", 1), ("10.0.0.0/8,fd00::/8", 2), ("127.0.0.1", 1)]
)
def test_proxies_are_addresses_and_networks(text: str, count: int) -> None:
    assert len(networks(text)) == count


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1:80", "*", "10.0.0.1;::1"])
def test_what_is_neither_is_refused_by_the_settings_name(text: str) -> None:
    with pytest.raises(SettingsError, match="KOSHEL_TRUSTED_PROXIES"):
        read({"KOSHEL_TRUSTED_PROXIES": text}, {})
