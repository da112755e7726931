"""Which pages may use the service: its own, and those that `allowed_origins` names.

Without API keys, whatever a browser can reach it could also do. Two things keep foreign pages out:

    Origin, Sec-Fetch-Site   what a page of another origin sends is refused, if it is more than a read. An own Origin
                             counts only if Sec-Fetch-Site does not say otherwise
    Host                     on loopback it must be a loopback name: another one may be any page's own name,
                             pointed here once the page was loaded (DNS rebinding)
"""

from collections.abc import Mapping
from functools import lru_cache

from multidict import MultiMapping

from koshel.config.settings import Settings
from koshel.config.web_origins import is_loopback, origins
from koshel.http.call import NO_HEADERS
from koshel.http.problems import Failure, quoted

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_SAME = frozenset({"none", "same-origin"})  # what Sec-Fetch-Site says where no other page is in it
_TO_ALLOW = "to allow it, add its origin to KOSHEL_ALLOWED_ORIGINS"
_PORTS = {"http": ":80", "https": ":443"}
_EXPOSED = "ETag, Idempotent-Replayed, Link, Location, Preference-Applied, Retry-After, WWW-Authenticate, X-Request-Id"
_TAKEN = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, X-Request-Id"
_PREFLIGHT_S = 600  # how long a browser may remember what it was allowed


class Origins:
    """The origins that one service knows."""

    def __init__(self, settings: Settings) -> None:
        self._allowed = frozenset(origins(settings.allowed_origins))
        self._hosts = frozenset(origin.partition("://")[2] for origin in self._allowed)
        is_traced = settings.tracing == "on"
        self._exposed = f"{_EXPOSED}, traceparent" if is_traced else _EXPOSED
        self._taken = f"{_TAKEN}, traceparent, tracestate" if is_traced else _TAKEN
        self._on_loopback = is_loopback(settings.host.strip("[]"))

    def check(self, method: str, headers: MultiMapping[str]) -> None:
        """Raises Failure if the request comes from a foreign page, or by a name that is not the service's."""
        host = headers.get("Host")
        if host is not None and not self.is_known_host(host):
            raise _unknown(host)
        if method in _READS:
            return
        sent, sites = headers.getall("Origin", ()), headers.getall("Sec-Fetch-Site", ())
        if len(sent) > 1:
            raise Failure("cross-site", "A request with more than one Origin may not do this.")
        if sent and self._is_allowed(sent[0]):
            return
        if sent and not _is_own(sent[0], host):
            raise _foreign(sent[0])
        if any(site.lower() not in _SAME for site in sites):
            raise Failure("cross-site", f"A page of another origin may not do this; {_TO_ALLOW}.")

    def is_known_host(self, host: str) -> bool:
        """Whether the service may be called so: on loopback by a loopback name or an allowed origin's, else by any."""
        return not self._on_loopback or _is_loopback_host(host) or host.lower() in self._hosts

    def grant(self, method: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers that let a page of an allowed origin read the reply. `Vary`: others get it without them."""
        if not self._allowed:
            return NO_HEADERS
        origin = headers.get("Origin", "")
        if not self._is_allowed(origin):
            return {"Vary": "Origin"} if method in _READS else NO_HEADERS
        return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": self._exposed, "Vary": "Origin"}

    def preflight(self, headers: Mapping[str, str], methods: str) -> Mapping[str, str] | None:
        """The headers of the reply to a preflight; None: the request is none, or its origin is not allowed."""
        if "Access-Control-Request-Method" not in headers or not self._is_allowed(headers.get("Origin", "")):
            return None
        return {
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": self._taken,
            "Access-Control-Max-Age": str(_PREFLIGHT_S),
        }

    def _is_allowed(self, origin: str) -> bool:
        return origin.lower() in self._allowed


def _foreign(origin: str) -> Failure:
    if origin.lower() in {"", "null"}:  # a sandbox, a file or a redirect: nobody knows whose page it is
        return Failure("cross-site", "A page that does not say its origin may not do this.")
    return Failure("cross-site", f"A page of {quoted(origin)} may not do this; {_TO_ALLOW}.")


def _unknown(host: str) -> Failure:
    what = "use localhost or 127.0.0.1, or if that name is yours, add its origin to KOSHEL_ALLOWED_ORIGINS"
    return Failure("cross-site", f"This service is not called {quoted(host)}; {what}.")


def _is_own(origin: str, host: str | None) -> bool:
    """Whether an origin is the Host that was asked; over which of the two schemes, a proxy may not tell."""
    scheme, _, authority = origin.lower().partition("://")
    if host is None or scheme not in _PORTS or not authority:
        return False
    return authority.removesuffix(_PORTS[scheme]) == host.lower().removesuffix(_PORTS[scheme])


@lru_cache(maxsize=256)
def _is_loopback_host(host: str) -> bool:
    """Whether the name in a Host header, its port aside, is this machine's for itself."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name = host
    elif not (port.isascii() and port.isdigit()):
        return False
    return is_loopback(name[1:-1] if name.startswith("[") and name.endswith("]") else name)
