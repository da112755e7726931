"""The settings of JWTs: which go together, what may be asked for keys, and what the start needs for them."""

import sys
from pathlib import Path

import pytest

from koshel.config.settings import Settings, SettingsError
from koshel.config.settings_text import PREFIX, read
from koshel.config.web_addresses import may_be_asked, without_secrets
from koshel.serving import startup
from tests.support.jwt_issuer import jwks, signer

GIVEN = {"jwt_issuer": "https://login.example.com/", "jwt_audience": "koshel"}


def refused(chosen: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as refusal:
        read({PREFIX + name.upper(): text for name, text in chosen.items()}, {})
    return str(refusal.value)


def test_an_issuer_and_an_audience_are_enough() -> None:
    chosen = read({PREFIX + name.upper(): text for name, text in GIVEN.items()}, {})
    assert (chosen.jwt_keys, chosen.jwt_ledger_claim, chosen.jwt_scope_claim) == (None, "koshel_ledger", "scope")


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (
            {"jwt_issuer": "https://a.example"},
            "KOSHEL_JWT_ISSUER (https://a.example) and KOSHEL_JWT_AUDIENCE (None by default) belong together",
        ),
        ({"jwt_audience": "koshel"}, "KOSHEL_JWT_AUDIENCE (koshel) belong together"),
        ({"jwt_keys": "jwks.json"}, "KOSHEL_JWT_KEYS (jwks.json) are those of KOSHEL_JWT_ISSUER"),
        (GIVEN | {"auth": "off"}, "KOSHEL_AUTH (off) must not be off with KOSHEL_JWT_ISSUER"),
        (GIVEN | {"jwt_issuer": "login"}, "KOSHEL_JWT_ISSUER (login) must be an https:// URL"),
        (GIVEN | {"jwt_issuer": "http://a.example"}, "KOSHEL_JWT_ISSUER (http://a.example) must be an https:// URL"),
        (GIVEN | {"jwt_keys": "http://a.example/k"}, "KOSHEL_JWT_KEYS (http://a.example/k) must be an https:// URL"),
        (GIVEN | {"jwt_keys": "file:///etc/k"}, "KOSHEL_JWT_KEYS (file:///etc/k) must be an https:// URL"),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(chosen: dict[str, str], said: str) -> None:
    assert said in refused(chosen)


@pytest.mark.parametrize(
    "chosen",
    [
        {"jwt_issuer": "anybody", "jwt_keys": "/etc/koshel/jwks.json"},
        {"jwt_issuer": "anybody", "jwt_keys": "https://login.example.com/keys?v=1"},
        {"jwt_issuer": "http://127.0.0.1:9000/realms/a"},
        {"jwt_issuer": "http://localhost:9000"},
        {"auth": "keys"},
    ],
)
def test_an_issuer_is_any_name_if_its_keys_are_elsewhere(chosen: dict[str, str]) -> None:
    read({PREFIX + name.upper(): text for name, text in (GIVEN | chosen).items()}, {})


@pytest.mark.parametrize(
    ("url", "may_be"),
    [
        ("https://login.example.com", True),
        ("https://[2001:db9::1]:8443/keys", True),
        ("http://127.0.0.1/keys", True),
        ("http://127.8.8.8:1/", True),
        ("http://[::1]:80/", True),
        ("http://localhost/", True),
        ("http://localhost.example.com/", False),
        ("http://127.0.0.1.example.com/", False),
        ("http://127.0.0.1@example.com/", False),
        ("https://user:secret@example.com/", False),
        ("http://10.0.0.1/", False),
        ("ftp://127.0.0.1/", False),
        ("https://", False),
        ("https:///keys", False),
        ("https://a.example:99999/", False),
        ("https://[::1/", False),
        ("https://a b.example/", False),
        ("https://bücher.example/", False),
        ("https://a.example/\n", False),
        ("", False),
    ],
)
def test_what_is_asked_is_encrypted_or_of_this_machine(url: str, *, may_be: bool) -> None:
    assert may_be_asked(url) == may_be


def test_a_start_without_pyjwt_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("jwks_source", "signing_keys"):
        monkeypatch.delitem(sys.modules, f"koshel.access.{name}", raising=False)
        monkeypatch.delattr(f"koshel.access.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "jwt", None)
    startup.check_jwts(Settings())
    with pytest.raises(
        SettingsError, match=r"^KOSHEL_JWT_ISSUER needs PyJWT and cryptography: install Koshel's extra jwt: "
    ):
        startup.check_jwts(Settings(jwt_issuer=GIVEN["jwt_issuer"], jwt_audience=GIVEN["jwt_audience"]))


def test_a_file_with_keys_is_enough_for_a_start(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(signer("k")))
    startup.check_jwts(Settings(jwt_issuer="anybody", jwt_audience="koshel", jwt_keys=str(file)))


USERS = [
    *(
        "user:sekret@",
        "sekret@",
        ":sekret@",
        "user:se/sekret@",
        "user:sekret?x@",
        "user:sekret@sekret@",
    ),
    "user:%40sekret@",
]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    ("name", "with_it"),
    [
        ("jwt_keys", "https://{}login.example.com/keys"),
        ("jwt_keys", "http://{}127.0.0.1/keys?token=sekret"),
        ("jwt_keys", "https://user:a {}login.example.com/keys"),
        ("jwt_issuer", "https://{}login.example.com"),
        ("host", "https://{}shop.example"),
        ("allowed_origins", "https://{}shop.example"),
        ("trusted_proxies", "https://{}10.0.0.1"),
        ("log_format", "https://{}a"),
    ],
)
def test_a_refusal_shows_a_url_without_its_password(name: str, with_it: str, user: str) -> None:
    url = with_it.format(user)
    for environment, flags in (({PREFIX + name.upper(): url}, {}), ({}, {name: url})):
        given = {PREFIX + other.upper(): text for other, text in GIVEN.items() if other != name}
        with pytest.raises(SettingsError) as refusal:
            read(given | environment, flags)
        assert "sekret" not in str(refusal.value)
        assert "…@" in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://login.example.com/keys?token=sekret", "http://login.example.com/keys?…"),
        ("http://login.example.com/keys#sekret", "http://login.example.com/keys?…"),
        ("http://login.example.com:8443/keys", "http://login.example.com:8443/keys"),
    ],
)
def test_and_without_its_query(url: str, said: str) -> None:
    assert f"KOSHEL_JWT_KEYS ({said}) must be an https:// URL" in refused(GIVEN | {"jwt_keys": url})


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "400, message='Bad', url='https://a.example/keys?token=sekret'",
            "400, message='Bad', url='https://a.example/keys?…",
        ),
        ("https://a:b@c.example/ and http://d.example/?e", "https://…@c.example/ and http://d.example/?…"),
        ("an https:// URL, or ann@b.example?", "an https:// URL, or ann@b.example?"),
        ("at https://user:#sekret@c.example/ now", "at https://…@c.example/ now"),
        ("", ""),
    ],
)
def test_a_message_with_urls_is_shown_without_what_may_be_secret_in_them(message: str, said: str) -> None:
    assert without_secrets(message) == said
    assert without_secrets(said) == said
