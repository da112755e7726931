"""A client that a public generator makes of the OpenAPI document does what the README does, and is told the same."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.generate import OPENAPI
from tests.support.service import Running

PACKAGE = "generated_wallet"


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The client's package, generated from the document on file, without a warning."""
    root = tmp_path_factory.mktemp("client")
    chosen = [f"--path={OPENAPI}", f"--output-path={root / PACKAGE}", "--meta=none", "--fail-on-warning"]
    programs = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}  # it formats with ruff
    command = [sys.executable, "-m", "openapi_python_client", "generate", *chosen]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=240, env=os.environ | programs)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(root))
    yield root / PACKAGE
    sys.path.remove(str(root))


class Client:
    """The generated client, and its models, by their names."""

    def __init__(self, url: str) -> None:
        self.models = module("models")
        self.connection = module("client").Client(base_url=url, timeout=60)

    def ask(self, operation: str, *path: object, **arguments: Any) -> Any:
        """What the operation answers: its model."""
        made = module(f"api.{operation}")
        return made.sync(*path, client=self.connection, **arguments)

    def open(self, email: str) -> Any:
        """A new account."""
        return self.ask("accounts.open_account", body=self.models.AccountRequest(email=email))


def module(name: str) -> ModuleType:
    return importlib.import_module(f"{PACKAGE}.{name}")


@pytest.fixture
def client(package: Path, service: Running) -> Iterator[Client]:
    """A client of the running service."""
    assert package.is_dir()
    client = Client(service.url)
    with client.connection:
        yield client


def test_the_transfer_of_the_readme(client: Client) -> None:
    models = client.models
    ann, bob = client.open("ann@example.com"), client.open("bob@example.com")
    assert isinstance(ann, models.Account)
    assert (ann.balance, ann.status) == ("0.00", models.AccountStatus.OPEN)

    paid = client.ask("accounts.pay_in", ann.id, body=models.PaymentRequest(amount="100"))
    assert (paid.kind, paid.source_account_id) == (models.TransactionKind.PAYMENT, None)

    key = f"order-{ann.id}"
    order = models.TransferRequest(source_account_id=ann.id, target_account_id=bob.id, amount="12.50")
    moved = client.ask("transactions.transfer", body=order, idempotency_key=key)
    assert isinstance(moved, models.Transaction)
    assert (moved.amount, moved.currency, moved.status) == ("12.50", "USD", models.TransactionStatus.POSTED)
    assert (moved.idempotency_key, moved.metadata.to_dict()) == (key, {})
    assert abs(datetime.now(UTC) - moved.ctime) < timedelta(minutes=5)
    assert client.ask("transactions.transfer", body=order, idempotency_key=key) == moved
    read = client.ask("transactions.get_transaction", moved.id)
    assert read.refunded == "0.00"
    told = read.to_dict() | {"refunded": None}
    assert told.pop("effective_on") == moved.ctime.date().isoformat()
    assert told == moved.to_dict() | {"refunded": None}
    assert client.ask("accounts.get_account", bob.id).balance == "12.50"

    refused = client.ask("accounts.pay_out", bob.id, body=models.WithdrawalRequest(amount="99"))
    assert isinstance(refused, models.InsufficientFunds)
    assert (refused.account_id, refused.available, refused.required) == (bob.id, "12.50", "99.00")
    assert (refused.code, refused.status, refused.retryable) == ("insufficient-funds", 409, False)


def test_a_hold_of_which_a_part_is_captured_and_the_rest_released(client: Client) -> None:
    models = client.models
    ann, bob = client.open("ann@example.com"), client.open("bob@example.com")
    client.ask("accounts.pay_in", ann.id, body=models.PaymentRequest(amount="100"))
    wish = models.HoldRequest(
        source_account_id=ann.id, target_account_id=bob.id, amount="30", hold=models.HoldTerms(expires_in=600)
    )
    held = client.ask("transactions.transfer", body=wish)
    assert (held.status, type(held.expires_at)) == (models.TransactionStatus.HELD, datetime)
    part = models.CaptureRequest(amount="20", final=False)
    assert client.ask("transactions.capture_hold", held.id, body=part).parent_id == held.id
    void = client.ask("transactions.void_hold", held.id, body=models.VoidRequest())
    assert (void.kind, void.amount) == (models.TransactionKind.VOID, "10.00")
    again = client.ask("transactions.void_hold", held.id, body=models.VoidRequest())
    assert isinstance(again, models.HoldNotOpen)
    assert again.hold_status == models.HoldNotOpenHoldStatus.VOIDED


def test_a_batch_of_members_of_every_form_and_its_results(client: Client) -> None:
    models = client.models
    ann, bob = client.open("ann@example.com"), client.open("bob@example.com")
    paid = client.ask("accounts.pay_in", ann.id, body=models.PaymentRequest(amount="100"))
    held = [
        client.ask(
            "transactions.transfer",
            body=models.HoldRequest(source_account_id=ann.id, amount="5", hold=models.HoldTerms()),
        )
        for _ in range(2)
    ]
    members = [
        models.MoveMember(source_account_id=ann.id, target_account_id=bob.id, amount="1.50"),
        models.MoveMember(source_account_id=None, target_account_id=bob.id, amount="2"),
        models.HoldMember(source_account_id=ann.id, amount="3", hold=models.HoldTerms(expires_in=600)),
        models.CaptureMember(capture=held[0].id),
        models.VoidMember(void=held[1].id),
        models.RefundMember(refund=paid.id, amount="4"),
        models.MoveMember(source_account_id=bob.id, target_account_id=None, amount="50"),
    ]
    body = models.BatchRequest(transactions=members, atomic=False)
    *made, refused = client.ask("transactions.make_batch", body=body).results
    assert [str(one.transaction.kind) for one in made] == ["transfer", "payment", "hold", "capture", "void", "refund"]
    assert isinstance(refused, models.MemberRefused)
    assert isinstance(refused.problem, models.InsufficientFunds)
    assert refused.problem.available == "3.50"

    whole = client.ask("transactions.make_batch", body=models.BatchRequest(transactions=members[-1:]))
    assert isinstance(whole, models.BatchRefused)
    assert (whole.index, type(whole.cause)) == (0, models.InsufficientFunds)


def test_a_queued_transaction_and_a_dry_run(client: Client) -> None:
    models = client.models
    ann = client.open("ann@example.com")
    tried = client.ask("accounts.pay_in", ann.id, body=models.PaymentRequest(amount="1"), dry_run=True)
    assert (tried.id, tried.amount) == (None, "1.00")
    queued = client.ask(
        "accounts.pay_in", ann.id, body=models.PaymentRequest(amount="1"), prefer="respond-async, wait=0"
    )
    assert queued.status == models.TransactionStatus.QUEUED


def test_an_account_is_changed_in_one_field_and_keeps_the_others(client: Client) -> None:
    models = client.models
    ann = client.open("ann@example.com")
    body = models.AccountChange(max_balance=None, status=models.AccountStatus.FROZEN)
    changed = client.ask("accounts.change_account", ann.id, body=body, if_match='"0"')
    assert (changed.max_balance, changed.status) == (None, models.AccountStatus.FROZEN)
    assert changed.email == "ann@example.com"
    stale = client.ask("accounts.change_account", ann.id, body=body, if_match='"0"')
    assert isinstance(stale, models.VersionMismatch)
    assert client.ask("accounts.get_account", 2**62).code == "account-not-found"


def test_what_is_wrong_with_a_field_is_pointed_at(client: Client) -> None:
    problem = client.ask("accounts.open_account", body=client.models.AccountRequest(email="nobody"))
    assert isinstance(problem, client.models.ValidationFailed)
    assert [one.pointer for one in problem.errors] == ["/email"]


def test_the_service_is_well(client: Client) -> None:
    assert client.ask("health.check_ready").status == "ok"
    assert client.ask("health.measure_queue").depth >= 0
    meant = client.ask("service.get_problem", client.models.GetProblemCode.SAME_ACCOUNT)
    assert meant.status == 422
