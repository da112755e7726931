"""A plain URL is read without libpq, and then as libpq reads it; what is not plain, or not said alone, is libpq's."""

import subprocess
import sys
from collections.abc import Iterator
from string import ascii_letters, digits

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from koshel.db.errors import Unfit
from koshel.db.url import Target, parse

UNRESERVED = ascii_letters + digits + "-._~"
PLAIN = [
    "postgresql://ann@db/wallet",
    "postgres://ann@db/wallet",
    "postgresql://ann:s3cret@db:6543/wallet",
    "postgresql://ann@/wallet",
    "postgresql://ann@:6543/wallet",
    "postgresql://ann@/wallet?host=/run/pg",
    "postgresql://ann@db:7/wallet?host=/run/pg",
    "postgresql://ann@db/wallet?host=other",
    "postgresql://ann-b.c_d~e:1-2.3_4~5@db-1.example:05432/wal-l_e.t~",
]
# Plain, and no port.
REFUSED = ["postgresql://ann@127.0.0.1:0/w", "postgresql://ann@db:99999999999999999999/w"]
# libpq has the last word on each of these.
OTHERS = [
    "postgresql://db/wallet",
    "postgresql://ann@db",
    "postgresql://ann@db/",
    "postgresql://ann:@db/wallet",
    "postgresql://:x@db/wallet",
    "postgresql://ann@db:/wallet",
    "postgresql://ann@db/wal%20let",
    "postgresql://ann@a,b/wallet",
    "postgresql://ann@[::1]/wallet",
    "postgresql://ann@db/wallet?host=",
    "postgresql://ann@db/wallet?host=/run/pg&port=7",
    "postgresql://ann@db/wallet?host=%2Frun%2Fpg",
    "postgresql://ann@db/wallet?",
    "postgresql://ann@db/wallet#x",
    "postgresql://ann@db/wallet\n",
    "postgresql://ann@db:\u0667/wallet",
    "postgresql://änn@db/wallet",
    "POSTGRESQL://ann@db/wallet",
    "mysql://ann@db/wallet",
    "host=db dbname=wallet user=ann",
    "",
]


@pytest.fixture(scope="module", autouse=True)
def _no_variables() -> Iterator[None]:
    """Only what a test sets."""
    with pytest.MonkeyPatch.context() as patch:
        for option in psycopg.pq.Conninfo.get_defaults():
            if option.envvar:
                patch.delenv(option.envvar.decode(), raising=False)
        yield


def outcome(url: str, *, alone: bool) -> object:
    """What becomes of a URL: what it says, or why it is refused."""
    try:
        return parse(url, alone=alone)
    except Unfit as error:
        return str(error)


words = st.text(UNRESERVED, min_size=1, max_size=12)
anything = st.text(st.sampled_from([*UNRESERVED, *":/?#[]@%,= &+'\\\n\x00é"]), max_size=8)
urls = st.builds(
    "{}{}{}@{}{}/{}{}".format,
    st.sampled_from(["postgresql://", "postgres://"]),
    words,
    st.one_of(st.just(""), words.map(":{}".format)),
    st.one_of(st.just(""), words),
    st.one_of(st.just(""), st.integers(0, 10**6).map(":{}".format)),
    words,
    st.one_of(st.just(""), st.text(UNRESERVED + "/", min_size=1, max_size=20).map("?host={}".format)),
)
nearly = st.tuples(urls, anything, st.floats(0, 1)).map(
    lambda drawn: drawn[0][: int(len(drawn[0]) * drawn[2])] + drawn[1] + drawn[0][int(len(drawn[0]) * drawn[2]) :]
)


@pytest.mark.parametrize("url", PLAIN + REFUSED + OTHERS)
def test_read_either_way_a_url_says_the_same(url: str) -> None:
    assert outcome(url, alone=True) == outcome(url, alone=False)


@given(st.one_of(urls, nearly))
@example("postgresql://ann@db/wallet?host=//")
def test_whatever_the_url_both_ways_agree(url: str) -> None:
    assert outcome(url, alone=True) == outcome(url, alone=False)


@given(urls)
def test_every_url_of_plain_words_is_read_without_libpq(url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.pq.Conninfo, "parse", None)
        patch.setattr(psycopg.pq.Conninfo, "get_defaults", None)
        read = outcome(url, alone=True)
    if isinstance(read, Target):  # else its port or its host cannot be one
        assert read.arguments["user"] == url.partition("//")[2].partition("@")[0].partition(":")[0]


@pytest.mark.parametrize("url", PLAIN)
def test_a_plain_url_needs_no_second_driver(url: str) -> None:
    program = (
        f"import sys; from koshel.db.url import parse; parse({url!r}, alone=True); sys.exit('psycopg' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


def test_where_nobody_says_that_the_url_is_alone_the_variables_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "s3cret")
    monkeypatch.setenv("PGSSLMODE", "require")
    target = parse("postgresql://ann@db/wallet")
    assert (target.arguments["password"], target.arguments["dsn"]) == ("s3cret", "postgresql://?sslmode=require")


def test_what_was_read_is_not_read_again() -> None:
    target = parse("postgresql://ann@db/wallet")
    assert parse(target) is target
