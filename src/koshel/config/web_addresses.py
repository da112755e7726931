"""Web addresses that a setting names: encrypted, or of this machine."""

from urllib.parse import urlsplit

from koshel.config.web_origins import is_loopback


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
