"""Web origins, as a setting names them and as browsers send them."""

import re
from ipaddress import ip_address

# As a browser writes one: a scheme, a host, and a port if it is not the scheme's own. No path, not even a slash.
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_OWN_PORTS = {"http": ":80", "https": ":443"}


def host_of(origin: str) -> str:
    """The host of an origin, without brackets and port."""
    host = origin.partition("://")[2]
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Whether a host, by its name or number alone, is this machine."""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def origins(text: str) -> list[str]:
    """The origins that a list names, in the form in which browsers send them. Raises ValueError."""
    found = []
    for one in filter(None, map(str.strip, text.split(","))):
        match = _ORIGIN.fullmatch(one.lower())
        if match is None:
            message = f"`allowed_origins` must name origins such as https://shop.example, not {one}"
            raise ValueError(message)
        scheme, host, port = match.groups(default="")
        found.append(f"{scheme}://{host}{'' if port == _OWN_PORTS.get(scheme) else port}")
    return found
