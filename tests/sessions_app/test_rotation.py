import pytest

from accounts.models import User
from tests.conftest import SignIn

pytestmark = pytest.mark.django_db


def test_a_refresh_token_yields_a_new_pair(api: SignIn, alice: User) -> None:
    client = api(alice)
    answer = client.post("/auth/refresh", {"refresh_token": client.tokens.refresh_token})
    assert answer.status_code == 200
    assert answer.json()["refresh_token"] != client.tokens.refresh_token
