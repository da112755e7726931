"""`koshel serve` and `koshel migrate`: the commands that bring a database up to date.

As in `commands`, each imports what it needs when it is run.
"""

import gc
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

from koshel.command_line.commands import CommandError, Options, database
from koshel.config.settings import Settings
from koshel.config.settings_text import came_as
from koshel.core.money import iso_scales

if TYPE_CHECKING:
    from koshel.db.starting.databases import Database
    from koshel.db.starting.proof import Inspected


def serve(chosen: Settings, options: Options) -> int:
    """Serve until told to stop."""
    # Until gunicorn has its own handler: told to stop while it starts, it still stops the database that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # Nothing that is imported becomes garbage. To look for it again and again takes a tenth of the start.
    gc.disable()
    from koshel import descriptors, logs
    from koshel.config import address, surroundings
    from koshel.db.starting.opening import opened
    from koshel.engine import opening_wishes
    from koshel.serving import startup, tls
    from koshel.serving.supervise import Supervisor

    gc.freeze()
    gc.enable()
    streams = logs.configure(chosen.log_format, chosen.log_level, chosen.log_buffer_bytes_max)
    startup.say_what_is_passed_over(options["environment"])
    startup.warn_of_password(options)
    startup.check_jwts(chosen)
    startup.check_tracing(chosen, options["environment"])
    connections_max = descriptors.connections_max(chosen)
    identity = tls.identity(chosen.tls_certificate_file, chosen.tls_key_file)
    address.wait_until_free(chosen.host, chosen.port)
    startup.warn_of_strangers(chosen)
    with (
        database(chosen, make=True, alone=not surroundings.of_libpq(options["environment"])) as at,
        opened(at, opening_wishes(chosen, partial(_bring_up_to_date, chosen, options, at))) as opening,
    ):
        Supervisor(chosen, at.target, opening.gate, streams, connections_max, identity=identity).run()
    return 0


def migrate(chosen: Settings, options: Options) -> int:
    """Apply what is due, or only say what is."""
    from koshel.db.starting.checked import check

    only_check = options["check"]
    with database(chosen, make=not only_check) as at:
        if chosen.database_url is not None and not only_check:  # and the lock of migrations is its session's
            _check_before_migrating(chosen, at)
        applied = [] if only_check else _apply_what_is_due(chosen, at)
        found = check(
            at.owner_url,
            schema=chosen.schema,
            service_role=at.service_role,
            row_security=chosen.row_security,
            lock_timeout_ms=chosen.migration_lock_timeout_ms,
        )
    due = [f"due: {name}" for name in found.migrations.due] + [f"due: {said}" for said in found.wanting]
    newer = found.migrations.newer
    current = f"{newer[0].upper()}{newer[1:]}." if newer else "The schema is current."
    sys.stdout.write("".join(f"{line}\n" for line in [*(f"applied: {name}" for name in applied), *due]))
    if newer or not (applied or due):
        sys.stdout.write(f"{current}\n")
    return 1 if only_check and due else 0


def _bring_up_to_date(chosen: Settings, options: Options, at: "Database", found: "Inspected") -> None:
    """What is still to be done when the database is there and fit. Raises what the commands complain of."""
    from koshel.db.starting import standing
    from koshel.inputs.texts import unknown_currency
    from koshel.serving import startup

    # As the owner if it is ours; a service role finds nothing due, or is told that it may not.
    if found.due or at.service_url != at.owner_url:
        _apply_what_is_due(chosen, at)
    if chosen.currency not in iso_scales() and chosen.currency not in _registered(at, chosen.schema):
        name = came_as("currency", options)
        raise CommandError(f"{name}: {unknown_currency(chosen.currency)}")
    _check_keys(chosen, at)
    standing.say_which(found, at.target)
    standing.check_connections(found, startup.wanted(chosen))


def _check_keys(chosen: Settings, at: "Database") -> None:
    """Raises CommandError if there is no key, and the service would listen beyond this machine."""
    import asyncio

    from koshel.config import exposure
    from koshel.db.access import api_keys
    from koshel.db.starting import once
    from koshel.serving import startup

    reason = exposure.reached_by(chosen)
    if chosen.auth == "off" or chosen.jwt_issuer is not None or (reason is None and chosen.auth is None):
        return
    if asyncio.run(once.transact(at.service_url, api_keys.exist, schema=chosen.schema)):
        return
    if reason is not None:
        raise CommandError(
            f"{reason}, and there is no API key yet: make one with `koshel key create --scope admin`, or set"
            " KOSHEL_AUTH=off if whoever reaches the service may do everything"
        )
    startup.warn_of_no_keys()


def _apply_what_is_due(chosen: Settings, at: "Database") -> list[str]:
    from koshel.db.starting.migrate import migrate as apply

    return apply(
        at.owner_url,
        schema=chosen.schema,
        service_role=at.service_role,
        row_security=chosen.row_security,
        lock_timeout_ms=chosen.migration_lock_timeout_ms,
    )


def _check_before_migrating(chosen: Settings, at: "Database") -> None:
    import asyncio

    from koshel.db.pools import TimeLimits
    from koshel.db.starting.proof import check_before_migrating

    asyncio.run(check_before_migrating(at.owner_url, TimeLimits(connect_timeout_ms=chosen.connect_timeout_ms)))


def _registered(at: "Database", schema: str | None) -> set[str]:
    from koshel.db.settling import currencies

    return {code for code, _ in currencies.registered(at.service_url, schema)}
