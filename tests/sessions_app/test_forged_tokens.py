import base64
import json
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest

from accounts.models import User
from sessions_app import tokens
from tests.client import Api
from tests.conftest import SignIn
from tests.sessions_app.forge import DROP, claims_of, forged, status_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def alices(api: SignIn, alice: User) -> Api:
    return api(alice)


def segment(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_a_token_made_again_with_our_key_is_accepted(alices: Api) -> None:
    """Or the refusals below would prove nothing."""
    assert status_of(alices, forged(alices.tokens.access_token)) == 200


@pytest.mark.parametrize("claim", tokens.CLAIMS)
@pytest.mark.parametrize("value", [DROP, None, "", "7", [], {}, "x" * 1500])
def test_every_claim_must_be_there_and_right(
    alices: Api, claim: str, value: object
) -> None:
    token = forged(alices.tokens.access_token, claims={claim: value})
    # Any text may be the id of a token: only its digest is ever compared.
    assert status_of(alices, token) == (200 if (claim, value) == ("jti", "7") else 401)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 3600},
        {"nbf": int(time.time()) + 3600},
        {"iat": int(time.time()) + 600},
        {"iss": "backend"},
        {"iss": "backend-api-2"},
        {"aud": ["backend-api", "other"]},
        {"aud": ["backend-api"]},
        {"aud": "backend"},
        {"token_type": "refresh"},
        {"token_type": "reset"},
        {"sub": "abc"},
        {"sub": str(uuid4())},
        {"sub": str(uuid4()).upper()},
        {"sid": str(uuid4())},
        {"sid": "{" + str(uuid4()) + "}"},
    ],
)
def test_claims_of_another_world_are_refused(alices: Api, claims: dict[str, Any]) -> None:
    assert status_of(alices, forged(alices.tokens.access_token, claims=claims)) == 401


def test_another_users_session_is_not_ones_own(
    api: SignIn, alices: Api, bob: User
) -> None:
    theirs = claims_of(api(bob).tokens.access_token)
    mine = alices.tokens.access_token
    assert status_of(alices, forged(mine, claims={"sid": theirs["sid"]})) == 401
    assert status_of(alices, forged(mine, claims={"sub": theirs["sub"]})) == 401


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", 5, None, DROP])
@pytest.mark.parametrize("signature", ["", "A" * 43])
def test_no_algorithm_is_no_signature(alices: Api, name: object, signature: str) -> None:
    header = {"alg": name, "kid": tokens.keyring().signing.kid, "typ": "at+jwt"}
    if name is DROP:
        del header["alg"]
    payload = alices.tokens.access_token.split(".")[1]
    assert status_of(alices, f"{segment(header)}.{payload}.{signature}") == 401


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA", "HS384", "HS512"])
def test_a_header_cannot_rename_the_algorithm(alices: Api, algorithm: str) -> None:
    token = alices.tokens.access_token
    header = jwt.get_unverified_header(token) | {"alg": algorithm}
    payload = token.split(".")[1]
    ring = tokens.keyring()
    message = f"{segment(header)}.{payload}".encode()
    signer = jwt.get_algorithm_by_name("HS256")
    signature = signer.sign(message, signer.prepare_key(ring.signing.secret))
    assert status_of(alices, f"{message.decode()}.{segment(signature)}") == 401


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "unknown"},
        {"kid": ""},
        {"kid": "x" * 300},
        {"kid": "../../dev/null"},
        {"typ": "rt+jwt"},
        {"typ": "JWT"},
        {"typ": "AT+JWT"},
        {"crit": ["exp"]},
    ],
)
def test_the_header_must_be_ours(alices: Api, header: dict[str, object]) -> None:
    token = forged(alices.tokens.access_token, header=header)
    assert status_of(alices, token) == 401


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 380,
        b'{"a":' * 60,
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b'{"kid": [], "typ": {}}',
        b'{"kid": 5, "typ": "at+jwt"}',
        b"\xff\xfe",
        b'{"kid": null, "typ": null}',
    ],
)
def test_a_header_of_rubbish_is_refused(alices: Api, header: bytes) -> None:
    _, payload, signature = alices.tokens.access_token.split(".")
    assert status_of(alices, f"{segment(header)}.{payload}.{signature}") == 401


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("position", [0, 5, -1])
def test_one_flipped_bit_is_enough(alices: Api, part: int, position: int) -> None:
    parts = alices.tokens.access_token.split(".")
    raw = bytearray(base64.urlsafe_b64decode(parts[part] + "=="))
    raw[position] ^= 1
    parts[part] = segment(bytes(raw))
    assert status_of(alices, ".".join(parts)) == 401


def test_the_spare_bits_of_a_signature_are_not_free(alices: Api) -> None:
    token = alices.tokens.access_token
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + alphabet[alphabet.index(token[-1]) + 1]
    assert status_of(alices, twin) == 401


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token + ".x",
        lambda token: token.rpartition(".")[0] + ".",
        lambda token: token.rpartition(".")[0],
        lambda token: token[:40] + " " + token[40:],
        lambda token: token[:40] + "\t" + token[40:],
        lambda token: token + "=",
        lambda token: token.replace(".", ".."),
        lambda token: "é" + token[1:],
        lambda token: token * 30,
        lambda token: "",
        lambda token: "a",
        lambda token: token + " b",
    ],
)
def test_a_token_has_one_form(alices: Api, change: Any) -> None:
    token = change(alices.tokens.access_token)
    answer = alices.get(
        "/users/me", headers={"Authorization": f"Bearer {token}".encode("latin-1")}
    )
    assert answer.status_code in {401, 431}


def test_a_refresh_token_opens_nothing(alices: Api) -> None:
    assert status_of(alices, alices.tokens.refresh_token) == 401


def test_an_access_token_renews_nothing(alices: Api) -> None:
    body = {"refresh_token": alices.tokens.access_token}
    answer = alices.post("/auth/refresh", body)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == "token_invalid"


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer", "bEaReR"])
def test_the_scheme_has_no_case(alices: Api, scheme: str) -> None:
    value = f"{scheme} {alices.tokens.access_token}"
    assert alices.get("/users/me", headers={"Authorization": value}).status_code == 200


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Basic YTpi", "Token x", "x"])
def test_other_schemes_are_no_proof(alices: Api, value: str) -> None:
    answer = alices.get("/users/me", headers={"Authorization": value})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_outside_its_header_is_no_proof(api: SignIn, alices: Api) -> None:
    token = alices.tokens.access_token
    anonymous = api()
    assert anonymous.get(f"/users/me?access_token={token}").status_code == 401
    cookie = {"Cookie": f"access_token={token}; console={token}"}
    assert anonymous.get("/users/me", headers=cookie).status_code == 401
    answer = anonymous.patch("/users/me", {"access_token": token})
    assert answer.status_code == 401


def test_an_access_token_tells_nothing_of_its_owner(alices: Api) -> None:
    for token in (alices.tokens.access_token, alices.tokens.refresh_token):
        assert set(claims_of(token)) == set(tokens.CLAIMS)
