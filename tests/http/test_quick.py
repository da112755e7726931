from tests.support.database import Database
from tests.support.service import serving


def test_an_account_can_be_opened_paid_and_read(database: Database) -> None:
    with serving(database.service_url) as service:
        account = service.call("POST", "/account", {"email": "ann@example.com"})
        assert account.status == 201
        assert service.call("POST", "/account/1/payment", {"amount": "12.5"}).body["amount"] == "12.50"
        assert service.call("GET", "/account/1").body["balance"] == "12.50"
