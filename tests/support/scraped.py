"""`GET /metrics`, as Prometheus reads it."""

import time
import urllib.request
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from tests.support.service import Running

TURN_S = 0.05  # of an event loop, on a machine that is busy


class Scraped:
    """One scrape."""

    def __init__(self, text: str, headers: Mapping[str, str]) -> None:
        self.text = text
        self.headers = headers
        self.families = {one.name: one for one in text_string_to_metric_families(text)}
        self._values = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def value(self, sample: str, /, **labels: str) -> float:
        """Of the one series with exactly these labels; 0 where there is none yet."""
        return self._values.get((sample, tuple(sorted(labels.items()))), 0.0)

    def series(self, sample: str, label: str) -> dict[str, float]:
        """Of the series of a sample, by one of their labels, without those that are 0."""
        found = {dict(labels)[label]: value for (name, labels), value in self._values.items() if name == sample}
        return {name: value for name, value in found.items() if value}

    def requests(self) -> dict[tuple[str, str], float]:
        """How many were answered, by route and status; without those that scrape or ask for health."""
        return {
            (dict(labels)["route"], dict(labels)["status"]): value
            for (name, labels), value in self._values.items()
            if name == "koshel_http_requests_total"
            and dict(labels)["route"] not in {"GET /metrics", "GET /health/ready"}
        }


def scrape(service: Running, accept: str = "", authorization: str = "") -> Scraped:
    """The metrics as they are now, with what was answered before: that is counted when its worker's turn ends."""
    time.sleep(TURN_S)
    told = {"Accept": accept, "Authorization": authorization}
    named = {name: value for name, value in told.items() if value}
    request = urllib.request.Request(f"{service.url}/metrics", headers=named)
    with urllib.request.urlopen(request, timeout=30) as reply:
        return Scraped(reply.read().decode(), dict(reply.headers.items()))
