"""Whether this machine has an IPv6 loopback: some containers have none, and what needs it is then not asked of them."""

import socket


def has_loopback() -> bool:
    """Whether anything can listen on ::1."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


HERE = has_loopback()
