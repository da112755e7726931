"""What `GET /metrics` says, read by a program: values by name and labels, and what has changed between two readings."""

import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_S = 10
_KEY = re.compile(r"[\x21-\x7e]+")  # or a JWT: what a header can have

Labels = frozenset[tuple[str, str]]


class NotReadable(Exception):
    """There are no metrics there; the message says why."""


class Reading(Struct, frozen=True):
    """The metrics at one moment, by the monotonic clock."""

    moment: float
    values: Mapping[tuple[str, Labels], float]

    def value(self, name: str, **labels: str) -> float:
        """The sum of all series that have these labels."""
        return sum(value for _, value in self.series(name, **labels))

    def series(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """The series that have these labels, and what they say."""
        wanted = labels.items()
        for (known, found), value in self.values.items():
            if known == name and wanted <= dict(found).items():
                yield dict(found), value

    def label(self, name: str, label: str) -> str:
        """What a label says, of a series of which there is one."""
        return next((found[label] for found, _ in self.series(name)), "?")


class Between(Struct, frozen=True):
    """What has happened between two readings. A counter that is less than it was has begun anew."""

    before: Reading
    after: Reading

    @property
    def seconds(self) -> float:
        """How long it was."""
        return max(self.after.moment - self.before.moment, 1e-9)

    def grown(self, name: str, **labels: str) -> float:
        """By how much the counters with these labels have grown."""
        grown = 0.0
        for found, value in self.after.series(name, **labels):
            before = self.before.values.get((name, frozenset(found.items())), 0.0)
            grown += value - before if value >= before else value
        return grown

    def rate(self, name: str, **labels: str) -> float:
        """The same, for each second."""
        return self.grown(name, **labels) / self.seconds

    def rates(self, name: str, label: str) -> dict[str, float]:
        """By the values of a label, without those at rest, the busiest first."""
        named = {found[label] for found, _ in self.after.series(name)}
        rates = {value: self.rate(name, **{label: value}) for value in named}
        return dict(sorted(((value, rate) for value, rate in rates.items() if rate), key=lambda one: -one[1]))

    def mean(self, name: str, **labels: str) -> float | None:
        """The mean of what a histogram has observed; None if that is nothing."""
        count = self.grown(f"{name}_count", **labels)
        return self.grown(f"{name}_sum", **labels) / count if count else None

    def quantile(self, part: float, name: str, **labels: str) -> float | None:
        """What so great a part of a histogram's observations was at most, as far as its buckets tell."""
        bounds = {found["le"] for found, _ in self.after.series(f"{name}_bucket", **labels)}
        buckets = sorted((float(bound), self.grown(f"{name}_bucket", le=bound, **labels)) for bound in bounds)
        return _quantile(part, buckets)


def _quantile(part: float, buckets: Sequence[tuple[float, float]]) -> float | None:
    """Within a bucket the observations are taken to be even; of the last one only its lower end is known."""
    if not buckets or not buckets[-1][1]:
        return None
    rank = part * buckets[-1][1]
    lower = below = 0.0
    for bound, upto in buckets:
        if upto >= rank and upto > below:
            return lower if bound == float("inf") else lower + (bound - lower) * (rank - below) / (upto - below)
        lower, below = bound, upto
    return lower


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    """What answers elsewhere is no service of the caller's, and the key is not for it: it is an error."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Nowhere."""


def read(url: str, key_file: str | None = None) -> Reading:
    """The metrics of the service at this URL. `key_file` has the API key. Raises NotReadable.

    The key is sent to this URL only: a redirection is not followed. No message quotes a key, or a password of a URL.
    """
    headers = {} if key_file is None else {"Authorization": f"Bearer {_key(key_file)}"}
    if "@" in url:
        raise NotReadable("a URL with a user or a password in it is not asked; the key is in --key-file")
    if not url.startswith(("http://", "https://")):
        raise NotReadable(f"{url} is no URL: it begins with http:// or https://")
    try:
        request = urllib.request.Request(f"{url.rstrip('/')}/metrics", headers=headers)  # noqa: S310  of these schemes
        with urllib.request.build_opener(_NoRedirection).open(request, timeout=TIMEOUT_S) as reply:
            return Reading(time.monotonic(), _values(reply.read().decode()))
    except urllib.error.HTTPError as error:
        with error:
            leads_on = "; no redirection is followed" if 300 <= error.code < 400 else ""
            said = f"{url} answers {error.code} {error.reason} where metrics should be{leads_on}"
            raise NotReadable(said) from error
    except OSError as error:
        raise NotReadable(f"{url} does not answer: {getattr(error, 'reason', error)}") from error
    except (HTTPException, ValueError) as error:
        raise NotReadable(f"{url} has no metrics that can be read: {type(error).__name__}") from error


def _key(path: str) -> str:
    try:
        key = Path(path).read_text().strip()
    except OSError as error:
        raise NotReadable(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NotReadable(f"{path} has no key in it") from error
    if _KEY.fullmatch(key) is None:
        raise NotReadable(f"{path} has no key in it, or more than that")
    return key


def _values(text: str) -> dict[tuple[str, Labels], float]:
    families = text_string_to_metric_families(text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}
