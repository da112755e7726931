"""Web origins, as a setting names them and as browsers send them."""

import re

# As a browser writes one: a scheme, a host, and a port if it is not the scheme's own. No path, not even a slash.
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_OWN_PORTS = {"http": ":80", "https": ":443"}


def origins(text: str) -> list[str]:
    """The origins that a list names, in the form in which browsers send them. Raises ValueError."""
    found = []
    for one in filter(None, map(str.strip, text.split(","))):
        match = _ORIGIN.fullmatch(one.lower())
        if match is None:
            message = f"KOSHEL_ALLOWED_ORIGINS must name origins such as https://shop.example, not {one}"
            raise ValueError(message)
        scheme, host, port = match.groups(default="")
        found.append(f"{scheme}://{host}{'' if port == _OWN_PORTS.get(scheme) else port}")
    return found
