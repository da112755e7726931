"""TLS: the service's certificate and key, from their files; read again at SIGHUP.

    start    what cannot be used stops it, with a message that names the file
    SIGHUP   what can be used is for new connections; what cannot leaves the old certificate, and a line in the log

The master reads them, and the workers that it forks inherit what it has read: they need not be able to read the key,
and a session that one worker began goes on with another.
"""

import ssl
from pathlib import Path

import structlog

_log = structlog.get_logger()


class Unusable(OSError):
    """A certificate or a key that cannot be used; the message names the file."""


class Identity:
    """What the service shows to those who connect. Raises Unusable."""

    def __init__(self, certificate_file: str, key_file: str) -> None:
        self._files = certificate_file, key_file
        self.context = load(*self._files)

    def reload(self) -> None:
        """Read the files again; those who are connected do not notice."""
        try:
            self.context = load(*self._files)
        except Unusable as error:
            _log.error("the old certificate stays in use", error=str(error))


def identity(certificate_file: str | None, key_file: str | None) -> Identity | None:
    """What the service shows; None: it speaks no TLS. Raises Unusable."""
    return None if certificate_file is None or key_file is None else Identity(certificate_file, key_file)


def load(certificate_file: str, key_file: str) -> ssl.SSLContext:
    """The server's side of TLS 1.2 and newer. Raises Unusable; of a certificate that clients refuse it only warns."""
    for what, path in (("certificate", certificate_file), ("key", key_file)):
        try:
            Path(path).open("rb").close()
        except OSError as error:
            raise Unusable(f"the TLS {what} {path} cannot be read: {error.strerror}") from None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate_file, key_file, password=_no_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise Unusable(f"the TLS key {key_file} is not that of the certificate {certificate_file}") from None
        said = f"the TLS certificate {certificate_file} and the key {key_file} cannot be used"
        raise Unusable(f"{said}: they must be in PEM ({error.reason or 'not readable'})") from None
    except _HasPassphrase:
        raise Unusable(f"the TLS key {key_file} has a passphrase, and nobody is there to type it") from None
    _look_at(context, certificate_file)
    return context


class _HasPassphrase(Exception):
    """OpenSSL asks for one."""


def _no_passphrase() -> str:
    raise _HasPassphrase


def _look_at(context: ssl.SSLContext, path: str) -> None:
    """Shake hands as a client that trusts this certificate: it still minds the dates, and what it may be used for."""
    client = ssl.create_default_context(cadata=_first_certificate(path))
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # it need not be signed by one that is trusted
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = context.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server)
    for _ in range(2):  # the server's hello, and what the client thinks of it
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                _log.warning("clients will refuse the TLS certificate", file=path, error=error.verify_message)
                return
    _log.info("the TLS certificate is read", file=path, expires=(theirs.getpeercert() or {}).get("notAfter"))


def _first_certificate(path: str) -> str:
    """The service's own: the others of the file are its chain."""
    text = Path(path).read_text(encoding="latin1")
    end = "-----END CERTIFICATE-----"
    start = text.find("-----BEGIN CERTIFICATE-----")
    return text[start : text.find(end, start) + len(end)]
