"""Bodies: what is read, what is refused, and that nothing brings the service down."""

import json
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from accounts.models import User
from sessions_app.models import Session
from tests.client import Api
from tests.config.refusals import fields, refused
from tests.conftest import SignIn
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

LOGIN = {"email": "alice@example.com", "password": PASSWORD}
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def send(client: Api, method: str, path: str, content: bytes) -> Any:
    return client.call(method, path, content=content, headers=JSON)


# --- What is no JSON, or too much of it --------------------------------------------

MALFORMED = {
    "half": b"{",
    "a word": b"nonsense",
    "two values": b"{}{}",
    "a comma too many": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "a comment": b"{} // x",
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": Infinity}',
    "-Infinity": b'{"a": [-Infinity]}',
    "a control character": b'{"a": "\x01"}',
    "a raw NUL": b'{"a": "\x00"}',
    "only NULs": b"\x00" * 9,
    "only a space": b" ",
    "a number of 5 000 digits": b'{"a": 1' + b"0" * 5_000 + b"}",
    "invalid UTF-8": b"\xff\xfe{}",
    "an overlong NUL": b'{"a": "\xc0\x80"}',
    "a surrogate in UTF-8": b'{"a": "\xed\xa0\x80"}',
    "half a character": b'{"a": "\xe2\x82"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"email": "\u00fc"}'.encode("utf-16"),
    "UTF-32": "{}".encode("utf-32"),
    "5 000 open lists": b"[" * 5_000,
    "20 000 open lists": b"[" * 20_000,
    "200 000 open lists": b"[" * 200_000,
    "5 000 lists": b"[" * 5_000 + b"]" * 5_000,
    "200 000 lists": b"[" * 200_000 + b"]" * 200_000,
    "20 000 objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "lists in objects": b'[{"a":' * 10_000 + b"1" + b"}]" * 10_000,
    "one level too deep": b"[" * 65 + b"]" * 65,
    "one member too deep": b'{"a":' * 65 + b"1" + b"}" * 65,
    "10 001 members": json.dumps({str(n): 0 for n in range(10_001)}).encode(),
    "10 001 items": b"[" + b"0," * 10_000 + b"0]",
    "10 001 in many": json.dumps([[0] * 100] * 101).encode(),
    "gzip": bytes.fromhex("1f8b08000000000000ffabae050043bfa6a302000000"),
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/auth/login"), ("PATCH", "/users/me"), ("POST", "/auth/logout")],
)
def test_malformed_json_is_400(
    api: SignIn, alice: User, method: str, path: str, content: bytes
) -> None:
    """Checks 148, 181."""
    client = api(alice)
    refused(send(client, method, path, content), 400, "malformed_request")
    assert client.session.is_active


@pytest.mark.parametrize("depth", [1, 10, 61])
def test_what_is_deep_but_not_too_deep_is_kept(
    api: SignIn, alice: User, depth: int
) -> None:
    """The body and `preferences` are two levels of the 64."""
    deep: Any = {}
    for _ in range(depth):
        deep = {"a": deep}
    answer = api(alice).patch("/users/me", {"preferences": deep})
    assert answer.json()["preferences"] == deep
    alice.refresh_from_db()
    assert alice.preferences == deep


def test_ten_thousand_members_are_read(api: SignIn, alice: User) -> None:
    large = {str(number): number for number in range(9_999)}
    answer = api(alice).patch("/users/me", {"preferences": large})
    assert answer.status_code == 200
    alice.refresh_from_db()
    assert alice.preferences == large


@pytest.mark.parametrize("path", ["/auth/login", "/auth/register", "/auth/refresh"])
def test_no_body_lacks_every_field(api: SignIn, path: str) -> None:
    answer = send(api(), "POST", path, b"")
    assert refused(answer, 422)["errors"][0]["code"] == "required"


def test_of_a_name_given_twice_the_last_counts(api: SignIn, alice: User) -> None:
    content = b'{"first_name": "A", "first_name": "B"}'
    assert send(api(alice), "PATCH", "/users/me", content).json()["first_name"] == "B"


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, gzip", "x" * 999])
@pytest.mark.parametrize("content", [MALFORMED["gzip"], b"{}"])
def test_a_packed_body_is_not_unpacked(
    api: SignIn, encoding: str, content: bytes
) -> None:
    headers = JSON | {"Content-Encoding": encoding}
    answer = api().call("POST", "/auth/login", content=content, headers=headers)
    refused(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_a_body_that_is_said_to_be_as_it_is_is_read(api: SignIn, encoding: str) -> None:
    headers = JSON | {"Content-Encoding": encoding}
    answer = api().call("POST", "/auth/login", content=b"{}", headers=headers)
    refused(answer, 422)


def test_no_body_is_packed_in_nothing(api: SignIn, alice: User) -> None:
    answer = api(alice).get("/users/me", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 200


# --- NUL and surrogates ------------------------------------------------------------

# Every call that takes text, with every text that it takes.
TEXTS = [
    ("POST", "/auth/register", ["email", "password", "first_name", "last_name"]),
    ("POST", "/auth/register", ["phone_number"]),
    ("POST", "/auth/login", ["email", "password"]),
    ("POST", "/auth/refresh", ["refresh_token"]),
    ("POST", "/auth/logout", ["refresh_token"]),
    ("PATCH", "/users/me", ["first_name", "last_name", "phone_number", "locale"]),
    ("PATCH", "/users/me/password", ["current_password", "new_password"]),
    ("PATCH", "/users/{user}", ["first_name", "last_name", "phone_number", "locale"]),
    ("PATCH", "/sessions/{session}", ["device_name"]),
]
EVERY_TEXT = [(method, path, name) for method, path, names in TEXTS for name in names]


@pytest.mark.parametrize(("method", "path", "name"), EVERY_TEXT)
@pytest.mark.parametrize(
    "text", ["\\u0000", "a\\u0000b", "\\ud800", "a\\udfff", "\\udc00x"]
)
def test_what_cannot_be_stored_is_422_in_every_field(
    api: SignIn, alice: User, method: str, path: str, name: str, text: str
) -> None:
    """Checks 150."""
    client = api(alice)
    where = path.format(user=alice.pk, session=client.session.pk)
    answer = send(client, method, where, b'{"%s": "%s"}' % (name.encode(), text.encode()))
    assert fields(answer) == [name]
    assert User.objects.get().first_name == "Alice"


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800", "a\\udfffb"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"preferences": {"a": ["%s"]}}', "preferences.a.0"),
        ('{"preferences": {"a": {"b": "%s"}}}', "preferences.a.b"),
        ('{"preferences": {"%s": 1}}', "preferences"),
        ('{"unknown": "%s"}', "unknown"),
        ('{"unknown": [{"a": "%s"}]}', "unknown.0.a"),
        ('{"locale": ["%s"]}', "locale.0"),
    ],
)
def test_what_cannot_be_stored_is_422_wherever_it_hides(
    api: SignIn, alice: User, text: str, body: str, field: str
) -> None:
    answer = send(api(alice), "PATCH", "/users/me", (body % text).encode())
    assert fields(answer) == [field]


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800"])
@pytest.mark.parametrize("body", ['"%s"', '{"%s": 1}'])
def test_what_has_no_field_is_422_without_one(
    api: SignIn, alice: User, text: str, body: str
) -> None:
    answer = send(api(alice), "PATCH", "/users/me", (body % text).encode())
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] is None


def test_a_pair_of_surrogates_is_one_character(api: SignIn, alice: User) -> None:
    answer = send(api(alice), "PATCH", "/users/me", b'{"first_name": "\\ud83d\\ude00"}')
    assert answer.json()["first_name"] == "\U0001f600"


@pytest.mark.parametrize("value", [b"a\0b", b"\xff", b"\x85", b"\x1b[31m", b"x" * 256])
def test_a_strange_device_id_is_refused_or_kept_but_never_a_fault(
    api: SignIn, alice: User, value: bytes
) -> None:
    content = json.dumps(LOGIN).encode()
    headers = [(b"Content-Type", b"application/json"), (b"X-Device-Id", value)]
    answer = api().application.request(
        "POST", "/api/v1/auth/login", content=content, headers=headers
    )
    if value == b"\xff":
        assert Session.objects.get().device_id == "\u00ff"
    else:
        assert fields(answer) == ["X-Device-Id"]


@pytest.mark.parametrize("value", [b"\xff\xfe", b"x" * 5_000, b"", b"\x1b[31m"])
def test_a_strange_user_agent_keeps_nobody_out(
    api: SignIn, alice: User, value: bytes
) -> None:
    content = json.dumps(LOGIN).encode()
    headers = [(b"Content-Type", b"application/json"), (b"User-Agent", value)]
    answer = api().application.request(
        "POST", "/api/v1/auth/login", content=content, headers=headers
    )
    assert answer.status_code == 200
    assert len(Session.objects.get().user_agent) <= 512


# --- Types -------------------------------------------------------------------------

WRONG_TYPES: list[Any] = [7, 1.5, True, [], ["x"], {}, {"$ne": None}, None]


@pytest.mark.parametrize(("method", "path", "name"), EVERY_TEXT)
@pytest.mark.parametrize("value", WRONG_TYPES, ids=str)
def test_a_value_of_another_type_is_never_a_fault(
    api: SignIn, alice: User, method: str, path: str, name: str, value: object
) -> None:
    """Checks 162, 166: objects and lists are no text."""
    client = api(alice)
    where = path.format(user=alice.pk, session=client.session.pk)
    answer = client.call(method, where, {name: value})
    if isinstance(value, list | dict | bool):
        assert name in fields(answer)
    else:
        assert answer.status_code in {200, 401, 422}


@pytest.mark.parametrize("value", ["true", 1, "yes", [], {}, None, "x", 2])
def test_a_flag_is_true_or_false_or_told(
    api: SignIn, alice: User, root: User, value: object
) -> None:
    answer = api(root).patch(f"/users/{alice.pk}", {"is_active": value})
    if answer.status_code != 200:
        assert fields(answer) == ["is_active"]
    alice.refresh_from_db()
    assert alice.is_active


@pytest.mark.parametrize("value", [[], "x", 7, None, True, [{"a": 1}]])
def test_preferences_are_an_object(api: SignIn, alice: User, value: object) -> None:
    answer = api(alice).patch("/users/me", {"preferences": value})
    assert fields(answer) == ["preferences"]


def test_unknown_names_are_ignored(api: SignIn, alice: User) -> None:
    body = {"first_name": "B", "id": str(uuid4()), "created_at": 7, "role": {"a": []}}
    answer = api(alice).patch("/users/me", body | {"deleted_at": "x", "pk": None})
    assert (answer.status_code, answer.json()["id"]) == (200, str(alice.pk))
    alice.refresh_from_db()
    assert (alice.first_name, alice.deleted_at) == ("B", None)


DATA = [
    "' OR 1=1 --",
    '"; DROP TABLE accounts_user; --',
    "%27",
    "\\",
    "$$",
    "{{ 7*7 }}",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "\u202egnp.exe",
    "a\u200bb",
    "\U0001f600" * 30,
    "e" + "\u0301" * 140,
    "\u2028",
    "\ufeff",
    "\U0010ffff",
]


@pytest.mark.parametrize("text", DATA)
def test_text_is_data_and_comes_back_as_it_is(
    api: SignIn, alice: User, text: str
) -> None:
    """Checks 165, 166."""
    body = {"last_name": f"x{text}x", "preferences": {text: [text]}}
    answer = api(alice).patch("/users/me", body)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in body} == body
    alice.refresh_from_db()
    assert alice.last_name == f"x{text}x"


@pytest.mark.parametrize("letter", ["x", "\u00e9", "\U0001f600", "\u0301"])
@pytest.mark.parametrize(("length", "status"), [(150, 200), (151, 422), (5_000, 422)])
def test_lengths_are_counted_in_characters(
    api: SignIn, alice: User, letter: str, length: int, status: int
) -> None:
    """Checks 165: no column overflows on either engine."""
    answer = api(alice).patch("/users/me", {"first_name": letter * length})
    assert answer.status_code == status


@pytest.mark.parametrize(
    "number", [10**30, -(10**30), 1e308, 2**63, 2**64, 0.1, -0.0, 1e-320]
)
def test_large_numbers_in_preferences_are_kept(
    api: SignIn, alice: User, number: float
) -> None:
    answer = api(alice).patch("/users/me", {"preferences": {"a": number}})
    assert answer.status_code == 200
    kept = api(alice).get("/users/me").json()["preferences"]["a"]
    # PostgreSQL writes 1e308 out, with three hundred zeros.
    assert float(kept) == float(number)


def test_a_number_beyond_a_float_is_never_answered_as_broken_json(
    api: SignIn, alice: User
) -> None:
    """1e999 is JSON, but Python makes infinity of it, which no JSON can say."""
    client = api(alice)
    answer = send(client, "PATCH", "/users/me", b'{"preferences": {"a": 1e999}}')
    refused(answer, 400 if answer.status_code == 400 else 422)
    assert client.get("/users/me").json()["preferences"] == {}


# --- Content types -----------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonx",
        "application/vnd.api+json",
        "json",
        "*/*",
        "application/*",
        "\u00e9",
        ";",
        "/",
        "",
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_any_other_type_is_415(api: SignIn, alice: User, method: str, kind: str) -> None:
    """Checks 34."""
    client = api(alice)
    path = "/auth/login" if method == "POST" else "/users/me"
    headers = client.headers({}) | {"Content-Type": kind}
    answer = client.application.request(
        method,
        f"/api/v1{path}",
        content=json.dumps(LOGIN).encode(),
        headers=[(name, value.encode("latin-1")) for name, value in headers.items()],
    )
    refused(answer, 415, "unsupported_media_type")
    assert Session.objects.count() == 1


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=UTF-8",
        "application/json; charset=latin-1",
        "application/json; charset=nonsense",
        "application/json; charset=base64",
        "application/json; a=b; c",
    ],
)
def test_json_is_utf_8_whatever_its_type_adds(
    api: SignIn, alice: User, kind: str
) -> None:
    """RFC 8259 §8.1."""
    content = '{"first_name": "\u00e9"}'.encode()
    headers = {"Content-Type": kind}
    answer = api(alice).call("PATCH", "/users/me", content=content, headers=headers)
    assert answer.json()["first_name"] == "\u00e9"


FORM_LOGIN = f"username=alice%40example.com&password={quote(PASSWORD)}".encode()


def test_the_oauth_form_is_the_one_form(api: SignIn, alice: User) -> None:
    answer = api().call("POST", "/auth/login/oauth", content=FORM_LOGIN, headers=FORM)
    assert answer.status_code == 200
    refused(api().post("/auth/login/oauth", LOGIN), 415)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"&&&",
        b"=",
        b"username",
        b"\xff\xfe",
        b"%ff=%fe&username=%00&password=%00",
        b"username=%ed%a0%80@example.com&password=x",
        b"username=a@example.com&username=b&password=",
        b"&".join([b"a=1"] * 10_001),
        b"a" * 100_000,
        b"username[]=a&username[$ne]=b",
    ],
)
def test_a_strange_form_is_a_clean_refusal(api: SignIn, content: bytes) -> None:
    answer = api().call("POST", "/auth/login/oauth", content=content, headers=FORM)
    refused(answer, 400 if answer.status_code == 400 else 422)


@pytest.mark.parametrize(
    "charset",
    ["utf-8", "latin-1", "utf-16", "utf-7", "base64", "hex", "rot13", "idna", "x"],
)
def test_a_form_in_a_strange_encoding_is_no_fault(
    api: SignIn, alice: User, charset: str
) -> None:
    kind = f"application/x-www-form-urlencoded; charset={charset}"
    headers = {"Content-Type": kind}
    answer = api().call("POST", "/auth/login/oauth", content=FORM_LOGIN, headers=headers)
    if answer.status_code != 200:
        assert answer.status_code in {400, 401, 415, 422}
        refused(answer, answer.status_code)


@pytest.mark.parametrize("name", ["username", "password"])
def test_a_form_knows_nul_as_well(api: SignIn, name: str) -> None:
    content = f"username=a%40example.com&password=x&{name}=a%00b".encode()
    answer = api().call("POST", "/auth/login/oauth", content=content, headers=FORM)
    assert fields(answer) == [name]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users/me"),
        ("DELETE", "/sessions/me/others"),
        ("POST", "/auth/logout-all"),
    ],
)
def test_a_body_nobody_asked_for_is_not_looked_at(
    api: SignIn, alice: User, method: str, path: str
) -> None:
    assert send(api(alice), method, path, b"[" * 200_000).status_code == 200
