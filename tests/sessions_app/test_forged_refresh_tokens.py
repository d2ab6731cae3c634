"""Refresh tokens that were made by somebody, also by somebody who holds the key.

Each is 401 wherever a refresh token is taken, and leaves the session as it was.
"""

import base64
import hashlib
import hmac
import json
from typing import Any
from uuid import uuid4

import jwt
import pytest

from accounts.models import User
from sessions_app import tokens
from sessions_app.models import Session
from tests.client import Api
from tests.conftest import SignIn
from tests.sessions_app.forge import DROP, claims_of, forged, status_of

pytestmark = pytest.mark.django_db

PATHS = ["/auth/refresh", "/auth/logout"]


@pytest.fixture
def alices(api: SignIn, alice: User) -> Api:
    return api(alice)


def presented(client: Api, path: str, token: object) -> tuple[int, str]:
    """The status and the code of the refusal, which must have changed nothing."""
    answer = client.post(path, {"refresh_token": token})
    session = Session.objects.get()
    assert (session.rotations, session.ended_at) == (0, None)
    assert answer.headers.get("WWW-Authenticate") == "Bearer"
    return answer.status_code, answer.json()["errors"][0]["code"]


def encode(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def signed(header: bytes, payload: bytes) -> str:
    """With our key, whatever stands in it: what PyJWT would not write."""
    message = encode(header) + b"." + encode(payload)
    secret = tokens.keyring().signing.secret
    signature = hmac.digest(secret, message, hashlib.sha256)
    return (message + b"." + encode(signature)).decode()


WRONG = [DROP, None, "", True, 7.5, [], ["a"], {}, {"a": 1}, "x" * 900]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("claim", tokens.CLAIMS)
@pytest.mark.parametrize("value", WRONG)
def test_every_claim_must_be_there_and_right(
    alices: Api, path: str, claim: str, value: object
) -> None:
    token = forged(alices.tokens.refresh_token, claims={claim: value})
    assert presented(alices, path, token) == (401, "token_invalid")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "claims",
    [
        {"iat": 10**30},
        {"iat": float("inf")},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"nbf": float("inf")},
        {"nbf": 10**10},
        {"nbf": "soon"},
        {"sub": "\0"},
        {"sub": "é"},
        {"sub": 7},
        {"sid": "abc"},
        {"sid": uuid4().hex},
        {"sid": f"urn:uuid:{uuid4()}"},
        {"jti": 7},
        {"jti": "x" * 65},
        {"iss": "backend"},
        {"iss": "backend-api-2"},
        {"iss": ["backend-api"]},
        {"aud": ["backend-api", "other"]},
        {"aud": "other"},
        {"token_type": "access"},
        {"token_type": "Refresh"},
    ],
)
def test_claims_of_another_world_are_refused(
    alices: Api, path: str, claims: dict[str, object]
) -> None:
    token = forged(alices.tokens.refresh_token, claims=claims)
    assert presented(alices, path, token) == (401, "token_invalid")


@pytest.mark.parametrize("end", [0, -1, 10**9])
def test_a_token_past_its_end_renews_nothing(alices: Api, end: int) -> None:
    token = forged(alices.tokens.refresh_token, claims={"exp": end})
    assert presented(alices, "/auth/refresh", token) == (401, "token_invalid")


@pytest.mark.parametrize("path", PATHS)
def test_an_access_token_is_no_refresh_token(alices: Api, path: str) -> None:
    assert presented(alices, path, alices.tokens.access_token)[0] == 401


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("kind", "typ"), [("refresh", "at+jwt"), ("access", "rt+jwt"), ("reset", "rt+jwt")]
)
def test_header_and_claim_must_name_the_same_kind(
    alices: Api, path: str, kind: str, typ: str
) -> None:
    token = forged(
        alices.tokens.refresh_token, header={"typ": typ}, claims={"token_type": kind}
    )
    assert presented(alices, path, token) == (401, "token_invalid")
    assert status_of(alices, token) == 401


@pytest.mark.parametrize("claim", ["sub", "sid"])
def test_a_session_of_nobody_or_of_another_is_not_renewed(
    alices: Api, bob: User, claim: str
) -> None:
    for value in (str(uuid4()), str(bob.pk)):
        token = forged(alices.tokens.refresh_token, claims={claim: value})
        assert presented(alices, "/auth/refresh", token) == (401, "session_ended")


def test_a_known_session_and_an_unknown_token_is_a_theft(alices: Api) -> None:
    """It says of itself that it belongs to the session, and never did."""
    token = forged(alices.tokens.refresh_token, claims={"jti": "7"})
    answer = alices.post("/auth/refresh", {"refresh_token": token})
    assert answer.json()["errors"][0]["code"] == "refresh_token_reused"
    assert Session.objects.get().end_reason == "reuse"


# --- Headers that our key signed ---------------------------------------------------


def header_with(token: str, **more: Any) -> bytes:
    return json.dumps(jwt.get_unverified_header(token) | more).encode()


@pytest.mark.parametrize(
    "more",
    [
        {"kid": 5},
        {"kid": None},
        {"kid": ["x"]},
        {"kid": {"x": 1}},
        {"kid": "' OR 1=1 --"},
        {"kid": "\0"},
        {"kid": "é"},
        {"kid": True},
        {"typ": None},
        {"typ": ["rt+jwt"]},
        {"typ": "RT+JWT"},
        {"typ": "application/rt+jwt"},
        {"typ": "rt+jwt "},
        {"alg": "none"},
        {"alg": "hs256"},
        {"alg": ["HS256"]},
        {"alg": None},
        {"alg": 256},
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
        {"crit": []},
        {"crit": "b64"},
        {"b64": False},
    ],
)
def test_a_signature_does_not_excuse_the_header(
    alices: Api, more: dict[str, object]
) -> None:
    token = alices.tokens.refresh_token
    payload = json.dumps(claims_of(token)).encode()
    made = signed(header_with(token, **more), payload)
    assert presented(alices, "/auth/refresh", made) == (401, "token_invalid")


@pytest.mark.parametrize(
    "more", [{"jku": "https://evil.io/k"}, {"x5u": "file:///x"}, {"jwk": {"kty": "oct"}}]
)
def test_a_key_named_in_the_header_is_not_looked_at(
    alices: Api, more: dict[str, object]
) -> None:
    token = alices.tokens.refresh_token
    payload = json.dumps(claims_of(token)).encode()
    forger = b"k" * 32
    message = encode(header_with(token, **more)) + b"." + encode(payload)
    signature = encode(hmac.digest(forger, message, hashlib.sha256))
    made = (message + b"." + signature).decode()
    assert presented(alices, "/auth/refresh", made) == (401, "token_invalid")


DEEP = {
    "open": b"[" * 380,
    "lists": b"[" * 190 + b"]" * 190,
    "many open": b"[" * 1500,
    "many lists": b"[" * 750 + b"]" * 750,
    "many objects": b'{"a":' * 300,
    "twenty thousand lists": b"[" * 20_000 + b"]" * 20_000,
    "twenty thousand objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
}


@pytest.mark.parametrize("deep", DEEP.values(), ids=DEEP.keys())
@pytest.mark.parametrize("part", ["header", "payload"])
def test_depth_is_no_way_to_hurt(alices: Api, deep: bytes, part: str) -> None:
    """Signed, so that only the reading can refuse it."""
    token = alices.tokens.access_token
    header, payload = header_with(token), json.dumps(claims_of(token)).encode()
    made = signed(*((deep, payload) if part == "header" else (header, deep)))
    assert status_of(alices, made) == (401 if len(made) < 32_000 else 431)
    answer = alices.post("/auth/refresh", {"refresh_token": made})
    assert answer.status_code == (401 if len(made) <= 4096 else 422)


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"[]", b'"x"', b"7", b"{}", b"\xff\xfe", b"{", b'{"exp": NaN}'],
)
def test_a_signed_payload_of_rubbish_is_refused(alices: Api, payload: bytes) -> None:
    made = signed(header_with(alices.tokens.refresh_token), payload)
    assert presented(alices, "/auth/refresh", made) == (401, "token_invalid")


# --- One form ----------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "pattern",
    [
        "{0}.{1}.{2}.x",
        "{0}.{1}.{2}.",
        ".{0}.{1}.{2}",
        "{0}.{1}.",
        "{0}.{1}",
        "{0}..{2}",
        ".{1}.{2}",
        "{0}.{1}.{2}=",
        "{0}=.{1}.{2}",
        "{0}.\n{1}.{2}",
        "{0}. {1}.{2}",
        "{0}.{1}.\u2028{2}",
        "{0}.{1}.{2}é",
        "{0}.{1}.\uff21{2}",
        "{0}+.{1}.{2}",
        "{0}/.{1}.{2}",
        "Bearer {0}.{1}.{2}",
        "{0}.{2}.{1}",
    ],
)
def test_a_token_has_one_form(alices: Api, path: str, pattern: str) -> None:
    token = pattern.format(*alices.tokens.refresh_token.split("."))
    assert presented(alices, path, token) == (401, "token_invalid")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("value", "code"),
    [
        (7, "token_invalid"),
        (True, "invalid"),
        ([], "invalid"),
        ({"a": 1}, "invalid"),
        ("\0", "null_characters_not_allowed"),
        ("\ud800", "surrogate_characters_not_allowed"),
        ("x" * 4097, "max_length"),
    ],
)
def test_what_is_no_text_is_no_token(
    alices: Api, path: str, value: object, code: str
) -> None:
    answer = alices.post(
        path,
        content=json.dumps({"refresh_token": value}).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == (401 if code == "token_invalid" else 422)
    assert answer.json()["errors"][0]["code"] == code
    assert Session.objects.get().is_active


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [[], "x", 7, [{"refresh_token": "x"}]])
def test_the_body_must_be_an_object(alices: Api, path: str, body: object) -> None:
    assert alices.post(path, body).status_code == 422
    assert Session.objects.get().is_active
