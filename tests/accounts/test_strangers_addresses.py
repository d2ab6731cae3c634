"""An address that nobody has shown to be theirs may be a stranger's."""

import pytest

from accounts.models import User
from outbox.models import Mail
from outbox.rendering import render
from tests.client import Api
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory
from tests.mailbox import mails, token

pytestmark = pytest.mark.django_db

WRONG = "wrong wrong wrong wrong"


def login(client: Api, user: User, password: str, device: str = "") -> int:
    body = {"email": user.email, "password": password}
    headers = {"X-Device-Id": device} if device else {}
    return client.post("/auth/login", body, headers=headers).status_code


@pytest.mark.usefixtures("no_rates")
@pytest.mark.parametrize(("verified", "number"), [(True, 6), (False, 3)])
def test_it_gets_no_more_notices_than_mails_on_request(
    api: SignIn, alice: User, verified: bool, number: int
) -> None:
    User.objects.filter(pk=alice.pk).update(email_verified=verified)
    for device in range(7):
        assert login(api(), alice, PASSWORD, f"device {device}") == 200
    assert len(mails("new_device")) == number


def test_whoever_named_it_keeps_nobody_from_it(api: SignIn, alice: User) -> None:
    old = alice.email
    body = {"new_email": "new@example.com", "current_password": PASSWORD}
    assert api(alice).post("/users/me/email", body).status_code == 200
    link = {"token": token("confirm_address")}
    assert api().post("/auth/email/confirm", link).status_code == 200
    person = {"email": old, "password": PASSWORD, "first_name": "A"}
    assert api().post("/auth/register", person).status_code == 201


@pytest.mark.parametrize(
    ("address", "on_the_wire"),
    [
        ("ceo@faß.de", "ceo@xn--fa-hia.de"),
        ("ceo@Example.com", "ceo@Example.com"),
        ("ceo@bücher.example", "ceo@xn--bcher-kva.example"),
    ],
)
def test_a_mail_goes_to_the_domain_that_the_account_has(
    api: SignIn, address: str, on_the_wire: str
) -> None:
    """Django alone would send the first to fass.de, which is somebody else's."""
    UserFactory.create(email=address)
    api().post("/auth/password-reset/request", {"email": address})
    (mail,) = Mail.objects.all()
    assert render(mail).to == [on_the_wire]


@pytest.mark.usefixtures("no_rates")
def test_ending_other_sessions_forgets_no_failed_guess(api: SignIn, alice: User) -> None:
    """Or a thief with a session could guess the password for ever."""
    client = api(alice)
    for _ in range(10):
        assert login(api(), alice, WRONG) == 401
    assert client.delete("/sessions/me/others").status_code == 200
    assert login(api(), alice, WRONG) == 429
