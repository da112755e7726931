"""What the start says of its surroundings, and what it wants of the database, before there are workers."""

from collections.abc import Mapping

import structlog

from koshel import __version__
from koshel.config import exposure, extras, surroundings, web_addresses
from koshel.config.settings import Settings, SettingsError
from koshel.config.surroundings import PREFIX, without_passwords
from koshel.db.starting.standing import Wanted

_log = structlog.get_logger()


def say_what_is_passed_over(environment: Mapping[str, str]) -> None:
    """Kubernetes' variables for a Service called `koshel` look like settings, and are none."""
    if names := surroundings.of_kubernetes(environment):
        _log.info("Kubernetes made these variables for a Service; they are not settings", variables=names)


def warn_of_password(flags: Mapping[str, object]) -> None:
    """A command's arguments can be read by everybody on the machine, for as long as it runs."""
    url = flags.get("database_url")
    if isinstance(url, str) and without_passwords(url) != url:
        _log.warning(
            "everybody on this machine can read the password in --database-url; set KOSHEL_DATABASE_URL instead, "
            "or name a file by PGPASSFILE"
        )


def warn_of_strangers(settings: Settings) -> None:
    """Where nobody is asked for a key, an address beyond this machine is worth a warning."""
    if settings.auth == "off" and (reason := exposure.reached_by(settings)) is not None:
        _log.warning("other machines can reach the service, and callers need no key", reason=reason)


def check_jwts(settings: Settings) -> None:
    """Raises SettingsError if JWTs are to be taken, and what that needs is not installed, or the file has no keys.

    An issuer that is away stops nothing: its keys are read when it is back.
    """
    if settings.jwt_issuer is None:
        return
    try:
        from koshel.access import jwks_source, signing_keys  # noqa: PLC0415  who takes no JWTs need not have what they need
    except ImportError as error:
        said = f"KOSHEL_JWT_ISSUER needs PyJWT and cryptography: {extras.how_to_install('jwt')}"
        raise SettingsError(said) from error
    if settings.jwt_keys is not None and not web_addresses.is_web_address(settings.jwt_keys):
        try:
            signing_keys.read(jwks_source.read_file(settings.jwt_keys))
        except jwks_source.Unreadable as error:
            raise SettingsError(f"KOSHEL_JWT_KEYS cannot be read: {error}") from error
        except signing_keys.Unusable as error:
            raise SettingsError(f"KOSHEL_JWT_KEYS cannot be used: {settings.jwt_keys}: {error}") from error


def warn_of_no_keys() -> None:
    """Whoever asks for keys where there is none serves nobody."""
    _log.warning("callers need an API key, and there is none yet; make one with `koshel key create --scope admin`")


def check_tracing(settings: Settings, environment: Mapping[str, str]) -> None:
    """Raises SettingsError if traces are wanted, and OpenTelemetry is not there, or cannot be set up by its variables.

    What is imported here the workers have in common.
    """
    if settings.tracing == "off":
        return
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if environment.get(name) not in {None, "", "http/protobuf"}:
            raise SettingsError(f"{name} can be http/protobuf only, not {environment[name]!r}")
    try:
        from koshel.telemetry import trace_export  # noqa: PLC0415  without traces nobody waits for it

        trace_export.check(__version__)
    except ImportError as error:
        said = f"{PREFIX}TRACING=on needs OpenTelemetry: {extras.how_to_install('tracing')}"
        raise SettingsError(said) from error
    except (ValueError, RuntimeError) as error:
        raise SettingsError(f"OpenTelemetry cannot be set up: {error}") from error


def wanted(settings: Settings) -> Wanted:
    """The connections that the service may open, and the settings that say so."""
    names = ("workers", "settle_connections", "read_connections", "rehearsal_connections")
    return Wanted(
        workers=settings.workers,
        connections=settings.workers * settings.connections_per_worker,
        said_by=", ".join(f"{PREFIX}{name.upper()} ({getattr(settings, name)})" for name in names),
    )
