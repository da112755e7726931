"""Web addresses that a setting names: encrypted, or of this machine; and shown without what could be secret in them."""

import re
from urllib.parse import urlsplit

from koshel.config.web_origins import is_loopback

_URL = re.compile(r"(?<=://)\S+")
_QUERY = re.compile(r"[?#]")


def is_web_address(text: str) -> bool:
    """Whether the text is a URL, and not a path."""
    return "://" in text


def may_be_asked(url: str) -> bool:
    """Whether nobody on the way could change what is answered there: https://, or http:// on this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or not url.isascii() or not url.isprintable() or " " in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def shown(text: str) -> str:
    """The text for a log or a message: if it is a URL, with `…` for its user, its password, its query and its fragment.

    A password may have any character, so all up to the last `@` is taken for one.
    """
    scheme, mark, rest = text.partition("://")
    return f"{scheme}{mark}{_bare(rest)}"


def without_secrets(message: str) -> str:
    """The message with each URL in it as it is shown."""
    return _URL.sub(lambda url: _bare(url[0]), message)


def _bare(rest: str) -> str:
    """What of a URL is shown, after its scheme."""
    user, at, place = rest.rpartition("@")
    where, *query = _QUERY.split(place, maxsplit=1)
    return f"{'…' if user else ''}{at}{where}{'?…' if query else ''}"
