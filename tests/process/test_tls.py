"""TLS: what can be used is shown, what cannot is refused by its file's name."""

import datetime as dt
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme
from structlog.testing import capture_logs

from koshel.serving.tls import Identity, Unusable, load

Files = tuple[Path, Path]
PAST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


class Made(NamedTuple):
    """A certificate and its key, in files."""

    certificate: Path
    key: Path


def make(at: Path, ca: trustme.CA | None = None, *, expires: dt.datetime | None = None) -> Made:
    issued = (ca or trustme.CA()).issue_cert("localhost", "127.0.0.1", not_after=expires)
    made = Made(at / "tls.crt", at / "tls.key")
    made.certificate.write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
    made.key.write_bytes(issued.private_key_pem.bytes())
    return made


def test_a_certificate_that_is_good_is_logged_with_its_last_day(tmp_path: Path) -> None:
    made = make(tmp_path)
    with capture_logs() as logged:
        context = load(str(made.certificate), str(made.key))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert [(one["log_level"], one["event"]) for one in logged] == [("info", "the TLS certificate is read")]
    assert logged[0]["expires"]
    assert "PRIVATE" not in str(logged)


def test_one_that_has_expired_is_used_with_a_warning(tmp_path: Path) -> None:
    made = make(tmp_path, expires=PAST)
    with capture_logs() as logged:
        load(str(made.certificate), str(made.key))
    assert [(one["log_level"], one["error"]) for one in logged] == [("warning", "certificate has expired")]


def _missing(made: Made) -> None:
    made.certificate.unlink()


def _no_key(made: Made) -> None:
    made.key.unlink()


def _directory(made: Made) -> None:
    made.key.unlink()
    made.key.mkdir()


def _anothers(made: Made) -> None:
    made.key.write_bytes(trustme.CA().issue_cert("localhost").private_key_pem.bytes())


def _garbage(made: Made) -> None:
    made.certificate.write_bytes(b"\xff\x00 no certificate")


def _empty(made: Made) -> None:
    made.certificate.write_bytes(b"")


def _with_passphrase(made: Made) -> None:
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415

    key = form.load_pem_private_key(made.key.read_bytes(), None)
    made.key.write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"a passphrase"))
    )


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_missing, "the TLS certificate {certificate} cannot be read: No such file or directory"),
        (_no_key, "the TLS key {key} cannot be read: No such file or directory"),
        (_directory, "the TLS key {key} cannot be read: Is a directory"),
        (_anothers, "the TLS key {key} is not that of the certificate {certificate}"),
        (_garbage, "the TLS certificate {certificate} and the key {key} cannot be used: they must be in PEM"),
        (_empty, "the TLS certificate {certificate} and the key {key} cannot be used: they must be in PEM"),
        (_with_passphrase, "the TLS key {key} has a passphrase, and nobody is there to type it"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_files_name(
    tmp_path: Path, spoil: Callable[[Made], None], said: str
) -> None:
    made = make(tmp_path)
    identity = Identity(str(made.certificate), str(made.key))
    before = identity.context
    spoil(made)
    with pytest.raises(Unusable) as refused:
        load(str(made.certificate), str(made.key))
    expected = said.format(certificate=made.certificate, key=made.key)
    assert str(refused.value).startswith(expected)
    with capture_logs() as logged:
        identity.reload()
    assert identity.context is before, "who was served goes on to be served"
    assert [one["log_level"] for one in logged] == ["error"]


def test_after_a_reload_the_new_certificate_is_shown(tmp_path: Path) -> None:
    made = make(tmp_path)
    identity = Identity(str(made.certificate), str(made.key))
    before = identity.context
    make(tmp_path)
    identity.reload()
    assert identity.context is not before
