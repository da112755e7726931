"""What is for no log: keys, JWTs and emails, however often a client has percent-encoded them."""

from urllib.parse import unquote

from koshel.api_keys import looks_secret

DECODED_MAX = 4  # times that a text is decoded to see what it is


def looks_private(text: str) -> bool:
    """Whether a key, a JWT or an email may be in the text; what was encoded more often than that, nobody can read."""
    for _ in range(DECODED_MAX):
        if "%" not in text:
            break
        text = unquote(text)
    return "@" in text or looks_secret(text) or unquote(text) != text
