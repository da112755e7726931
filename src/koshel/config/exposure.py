"""Whether other machines reach the service: then nobody may use it without a key, but where the settings say so."""

from koshel.config import address, web_origins
from koshel.config.settings import Settings


def reached_by(settings: Settings) -> str | None:
    """What makes it that other machines reach the service, in words; None: nothing does.

    A service on loopback is reached by others too, if a proxy stands before it. A proxy is known by what has to be set
    for it: the name that it is called by, or its own address.
    """
    if not address.is_loopback(settings.host):
        return f"{settings.host} is reached from beyond this machine"
    for origin in web_origins.origins(settings.allowed_origins):
        if not web_origins.is_loopback(web_origins.host_of(origin)):
            return f"KOSHEL_ALLOWED_ORIGINS names {origin}, which is beyond this machine"
    if settings.trusted_proxies:
        return "KOSHEL_TRUSTED_PROXIES says that a proxy passes requests on"
    return None
