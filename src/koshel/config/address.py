"""Where to listen: IPv4 and IPv6, a name or a number, and what it is called as a URL."""

import errno
import os
import socket
import time
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

PORT_TIMEOUT_S = 5
PORT_PAUSE_S = 0.2


class CannotListen(OSError):
    """The address is taken, or not this machine's; the message has it as a URL."""

    def __str__(self) -> str:
        return str(self.strerror)


def server(host: str, port: int, *, reuse_port: bool = False, backlog: int | None = None) -> socket.socket:
    """A socket that listens; `::` listens for IPv4 too, where the system can. Raises CannotListen."""
    bare = host.removeprefix("[").removesuffix("]")
    try:
        found = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = min(found)  # a name that stands for both is the IPv4 one's, as ever
        return socket.create_server(
            address[:2] if family == socket.AF_INET else address,
            family=family,
            backlog=backlog,
            reuse_port=reuse_port,
            dualstack_ipv6=bare == "::" and socket.has_dualstack_ipv6(),
        )
    except UnicodeError as error:  # of the codec for names: a label that is empty, or longer than 63 characters
        raise CannotListen(errno.EINVAL, f"cannot listen on {url(bare, port)}: that is not a name") from error
    except OSError as error:
        said = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise CannotListen(error.errno, f"cannot listen on {url(bare, port)}: {said}") from error


def wait_until_free(host: str, port: int) -> None:
    """Return when nobody else listens on the port. Raises OSError.

    The workers of a master that was killed keep it until they notice, for a second or two.
    """
    deadline = time.monotonic() + PORT_TIMEOUT_S
    while True:
        try:
            server(host, port).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            time.sleep(PORT_PAUSE_S)
        else:
            return


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach all that the name or address stands for."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False  # nobody can listen there; who tries is told so
    return all(ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def url(host: str, port: int, scheme: str = "http") -> str:
    """The address as a URL: that of IPv6 is in brackets."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def url_of(address: Sequence[Any], scheme: str = "http") -> str:
    """That of a socket's own address."""
    return url(address[0], address[1], scheme)
