"""Which key signs, which still verify, and what another instance's key is worth."""

import hashlib
import hmac
from uuid import uuid4

import jwt
import pytest
from django.conf import settings as configured
from pytest_django.fixtures import Settings

from accounts.models import User
from sessions_app import tokens
from sessions_app.models import Session
from tests.client import Api
from tests.conftest import SignIn
from tests.sessions_app.forge import forged, status_of

pytestmark = pytest.mark.django_db

OLD = "an-old-key-of-more-than-thirty-two-bytes"
NEW = "a-new-key-of-more-than-thirty-two-bytes!"


def kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def renew(client: Api, token: str) -> tuple[int, str, str]:
    """The status, and the new pair, or nothing twice."""
    answer = client.post("/auth/refresh", {"refresh_token": token})
    body = answer.json()
    return (
        answer.status_code,
        body.get("access_token", ""),
        body.get("refresh_token", ""),
    )


def test_tokens_of_a_retired_key_are_accepted_until_it_is_removed(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.JWT_SIGNING_KEYS = [OLD]
    client = api(alice)
    old_access, old_refresh = client.tokens.access_token, client.tokens.refresh_token
    settings.JWT_SIGNING_KEYS = [NEW, OLD]
    assert status_of(client, old_access) == 200
    status, access, refresh = renew(client, old_refresh)
    assert status == 200
    assert kid(access) == kid(refresh) == tokens.keyring().signing.kid != kid(old_access)
    settings.JWT_SIGNING_KEYS = [NEW]
    assert status_of(client, old_access) == 401
    assert status_of(client, access) == 200
    assert renew(client, refresh)[0] == 200


def test_a_token_of_a_removed_key_ends_no_session(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.JWT_SIGNING_KEYS = [OLD]
    client = api(alice)
    settings.JWT_SIGNING_KEYS = [NEW]
    assert renew(client, client.tokens.refresh_token)[0] == 401
    assert client.session.is_active
    settings.JWT_SIGNING_KEYS = [NEW, OLD]
    assert renew(client, client.tokens.refresh_token)[0] == 200


def test_a_process_without_the_newest_key_ends_no_session_in_the_grace(
    api: SignIn, alice: User, settings: Settings
) -> None:
    """A rolling deploy: the successor was made by a process that is further on."""
    settings.JWT_SIGNING_KEYS = [OLD]
    client = api(alice)
    settings.JWT_SIGNING_KEYS = [NEW, OLD]
    _, _, successor = renew(client, client.tokens.refresh_token)
    settings.JWT_SIGNING_KEYS = [OLD]
    assert renew(client, client.tokens.refresh_token)[0] == 401
    assert renew(client, successor)[0] == 401
    settings.JWT_SIGNING_KEYS = [NEW, OLD]
    assert renew(client, client.tokens.refresh_token)[2] == successor
    assert renew(client, successor)[0] == 200


@pytest.mark.parametrize(("first", "second"), [(OLD, NEW), (NEW, OLD)])
def test_the_first_key_signs_and_all_verify(
    api: SignIn, alice: User, settings: Settings, first: str, second: str
) -> None:
    settings.JWT_SIGNING_KEYS = [first, second]
    client = api(alice)
    token = client.tokens.access_token
    assert status_of(client, forged(token, secret=first.encode())) == 200
    [other] = tokens.keyring().keys.keys() - {kid(token)}
    by_second = forged(token, header={"kid": other}, secret=second.encode())
    assert status_of(client, by_second) == 200


def test_a_key_does_not_sign_under_the_name_of_another(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.JWT_SIGNING_KEYS = [NEW, OLD]
    client = api(alice)
    crossed = forged(client.tokens.access_token, secret=OLD.encode())
    assert status_of(client, crossed) == 401


@pytest.mark.parametrize("ring", [[], [NEW]])
def test_the_secret_key_signs_no_token(
    api: SignIn, alice: User, settings: Settings, ring: list[str]
) -> None:
    settings.JWT_SIGNING_KEYS = ring
    client = api(alice)
    secret = configured.SECRET_KEY.encode()
    for key in (secret, hashlib.sha256(secret).digest(), b"\0" * 32):
        assert status_of(client, forged(client.tokens.access_token, secret=key)) == 401


def test_a_new_secret_key_alone_signs_nobody_out(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.JWT_SIGNING_KEYS = [NEW]
    client = api(alice)
    settings.SECRET_KEY = "another-secret-key-of-the-same-service-1234"
    assert status_of(client, client.tokens.access_token) == 200
    assert renew(client, client.tokens.refresh_token)[0] == 200


def test_without_keys_of_their_own_tokens_go_with_the_secret_key(
    api: SignIn, alice: User, settings: Settings
) -> None:
    settings.JWT_SIGNING_KEYS = []
    client = api(alice)
    settings.SECRET_KEY = "another-secret-key-of-the-same-service-1234"
    assert status_of(client, client.tokens.access_token) == 401
    assert renew(client, client.tokens.refresh_token)[0] == 401


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JWT_ISSUER", "backend-api-staging"),
        ("JWT_AUDIENCE", "backend-api-staging"),
        ("JWT_SIGNING_KEYS", [OLD]),
    ],
)
def test_the_tokens_of_another_instance_are_worth_nothing(
    api: SignIn, alice: User, settings: Settings, name: str, value: object
) -> None:
    """The same code and, at worst, a copy of the database. Checks 62."""
    here = getattr(configured, name)
    setattr(settings, name, value)
    theirs = api(alice).tokens
    setattr(settings, name, here)
    client = api(alice)
    assert status_of(client, theirs.access_token) == 401
    assert renew(client, theirs.refresh_token)[0] == 401
    body = {"refresh_token": theirs.refresh_token}
    assert client.post("/auth/logout", body).status_code == 401
    assert Session.objects.active().count() == 2


def test_a_key_has_the_same_name_in_every_process_and_tells_nothing_of_itself(
    settings: Settings,
) -> None:
    settings.JWT_SIGNING_KEYS = [NEW, OLD]
    first = tokens.keyring().signing.kid
    settings.JWT_SIGNING_KEYS = [OLD, NEW]
    assert first in tokens.keyring().keys
    assert first not in {NEW, hashlib.sha256(NEW.encode()).hexdigest()[:12]}


def test_the_id_of_a_successor_follows_from_key_session_and_predecessor() -> None:
    """And from nothing else: who lacks the key cannot tell what comes next."""
    session, other = uuid4(), uuid4()
    old, new = (tokens.Key("kid", key.encode()) for key in (OLD, NEW))
    made = {
        old.successor(session, "a"),
        old.successor(session, "b"),
        old.successor(other, "a"),
        new.successor(session, "a"),
    }
    assert len(made) == 4
    assert old.successor(session, "a") in made
    message = session.bytes + b"a"
    assert hmac.new(OLD.encode(), message, "sha256").hexdigest() not in made
    assert {len(jti) for jti in made} == {64}
