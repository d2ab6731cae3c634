from typing import Any

import pytest

from accounts.models import User
from audit.models import Event
from tests.conftest import SignIn
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

DANA: dict[str, Any] = {
    "email": "Dana@Example.com",
    "password": PASSWORD,
    "first_name": "Dana",
}
# Exactly what a person is shown of themselves.
FIELDS = {
    "id",
    "email",
    "first_name",
    "last_name",
    "phone_number",
    "is_active",
    "is_superuser",
    "locale",
    "email_verified",
    "preferences",
    "created_at",
    "updated_at",
}


def code_and_field(answer: Any) -> tuple[str, str]:
    (fault,) = answer.json()["errors"]
    return fault["code"], fault["field"]


def test_a_person_registers_and_signs_in(api: SignIn) -> None:
    answer = api().post("/auth/register", DANA | {"phone_number": "+39 (02) 123-4567"})
    assert answer.status_code == 201
    assert set(answer.json()) == FIELDS
    assert answer.json()["email"] == "Dana@Example.com"
    assert answer.json()["phone_number"] == "+39021234567"
    assert (answer.json()["last_name"], answer.json()["updated_at"]) == (None, None)
    login = {"email": "dana@EXAMPLE.com", "password": PASSWORD}
    assert api().post("/auth/login", login).status_code == 200
    event = Event.objects.get(action="user.registered")
    assert (str(event.actor_id), event.actor_label) == (
        answer.json()["id"],
        "Dana@Example.com",
    )


def test_rights_in_the_body_never_take_effect(api: SignIn) -> None:
    rights = {
        "id": "01936f2e-7c1a-7b3e-9f52-3c1d5a8e4b60",
        "is_superuser": True,
        "is_staff": True,
        "is_active": False,
        "email_verified": True,
        "deleted_at": "2020-01-01T00:00:00Z",
        "groups": [1],
        "user_permissions": [1],
        "role": "owner",
        "session_epoch": 9,
    }
    answer = api().post("/auth/register", DANA | rights)
    assert answer.status_code == 201
    user = User.objects.get()
    assert str(user.pk) != rights["id"]
    assert (user.is_superuser, user.is_staff, user.is_active) == (False, False, True)
    assert (user.email_verified, user.deleted_at, user.session_epoch) == (False, None, 0)
    assert not user.groups.exists()
    assert not user.user_permissions.exists()


@pytest.mark.parametrize(
    "email",
    ["dana@example.com", "DANA@EXAMPLE.COM", "Dana@Example.com", " dana@example.com "],
)
def test_a_known_address_is_not_called_known(api: SignIn, email: str) -> None:
    assert api().post("/auth/register", DANA).status_code == 201
    answer = api().post("/auth/register", DANA | {"email": email})
    assert answer.status_code == 400
    assert answer.json()["detail"] == "This registration could not be completed."
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("straße@bücher.example", "STRASSE@xn--bcher-kva.example"),
        ("user@EXAMPLE.com", "user@example.COM"),
    ],
)
def test_two_spellings_are_one_account(api: SignIn, one: str, other: str) -> None:
    first = api().post("/auth/register", DANA | {"email": one})
    second = api().post("/auth/register", DANA | {"email": other})
    assert {first.status_code, second.status_code} <= {201, 400, 422}
    assert User.objects.count() <= 1


@pytest.mark.parametrize(
    "email",
    [
        "",
        "dana",
        "dana@",
        "@example.com",
        "a b@example.com",
        "dana@exa\r\nmple.com",
        "dana\r\nBcc: x@example.com",
        "dana\u200b@example.com",
        "dana\u202e@example.com",
        "dana@" + "a." * 1000 + "com",
        "d" * 300 + "@example.com",
        "dana@[127.0.0.1]",
        "dana@example..com",
        None,
        7,
        [],
        {},
        True,
    ],
)
def test_what_is_no_address_is_refused(api: SignIn, email: object) -> None:
    answer = api().post("/auth/register", DANA | {"email": email})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "email"
    assert not User.objects.exists()


@pytest.mark.parametrize("length", [64, 72, 73, 100, 128])
def test_long_passwords_count_to_the_last_character(api: SignIn, length: int) -> None:
    password = ("zebra-Quartz7 lamp " * 10)[:length]
    body = DANA | {"password": password}
    assert api().post("/auth/register", body).status_code == 201
    login = {"email": DANA["email"], "password": password}
    assert api().post("/auth/login", login).status_code == 200
    cut = {"email": DANA["email"], "password": password[:-1]}
    assert api().post("/auth/login", cut).status_code == 401


@pytest.mark.parametrize("password", [" plum otter canvas ", "plüm öttér çanvas 🦦"])
def test_a_password_is_taken_as_it_is(api: SignIn, password: str) -> None:
    assert api().post("/auth/register", DANA | {"password": password}).status_code == 201
    login = {"email": DANA["email"], "password": password.strip()}
    stripped = api().post("/auth/login", login).status_code
    assert stripped == (401 if password != password.strip() else 200)
    login["password"] = password
    assert api().post("/auth/login", login).status_code == 200


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("plum otter!", "password_too_short"),
        ("qwertyuiop123", "password_too_common"),
        ("Password1234", "password_too_weak"),
        ("aaaaaaaaaaaaaaaa", "password_too_weak"),
        ("dana@example.com", "password_too_similar"),
        ("backend-api 2026", "password_too_similar"),
        ("x" * 129, "max_length"),
        ("x" * 5000, "max_length"),
        ("", "blank"),
        (None, "null"),
        ([], "invalid"),
        ({}, "invalid"),
        (True, "invalid"),
        ("plum otter canvas\0", "null_characters_not_allowed"),
    ],
)
def test_a_bad_password_is_told_why(api: SignIn, password: object, code: str) -> None:
    answer = api().post("/auth/register", DANA | {"password": password})
    assert answer.status_code == 422
    faults = answer.json()["errors"]
    assert {fault["field"] for fault in faults} == {"password"}
    assert code in {fault["code"] for fault in faults}
    assert not User.objects.exists()


@pytest.mark.parametrize("password", ["correct horse battery staple", "kqzvxjwpmtbrgd"])
def test_no_kind_of_character_is_demanded(api: SignIn, password: str) -> None:
    assert api().post("/auth/register", DANA | {"password": password}).status_code == 201


def test_a_password_is_stored_as_argon2id(api: SignIn) -> None:
    api().post("/auth/register", DANA)
    api().post("/auth/register", DANA | {"email": "eve@example.com"})
    one, two = User.objects.values_list("password", flat=True)
    assert one.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert one != two


@pytest.mark.parametrize(
    ("number", "stored"),
    [
        ("+39021234567", "+39021234567"),
        ("02 1234-5678", "0212345678"),
        ("+(1) 23456789", "+123456789"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_phone_number_is_normalized(
    api: SignIn, number: str | None, stored: str
) -> None:
    answer = api().post("/auth/register", DANA | {"phone_number": number})
    assert answer.status_code == 201
    assert User.objects.get().phone_number == stored


@pytest.mark.parametrize(
    "number",
    [
        "12345678",
        "+1234567",
        "+" + "1" * 15,
        "+12345678a",
        "+\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18",
        "++1",
    ],
)
def test_what_is_no_phone_number_is_refused(api: SignIn, number: str) -> None:
    answer = api().post("/auth/register", DANA | {"phone_number": number})
    assert code_and_field(answer) == ("invalid", "phone_number")


@pytest.mark.parametrize(
    "name", ["", "  ", None, "x" * 151, "a\nb", "a\0b", "a\x1bb", [], {}, True]
)
def test_what_is_no_name_is_refused(api: SignIn, name: object) -> None:
    answer = api().post("/auth/register", DANA | {"first_name": name})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "first_name"


@pytest.mark.parametrize(
    "name", ["Zoë", "李小龙", "O'Neil", "' OR 1=1 --", "😀", "e" + "\u0301" * 100]
)
def test_a_name_is_stored_as_it_is(api: SignIn, name: str) -> None:
    answer = api().post("/auth/register", DANA | {"first_name": name})
    assert answer.json()["first_name"] == name


@pytest.mark.parametrize("body", [[], "x", 7, True, {}])
def test_a_body_of_another_shape_is_refused(api: SignIn, body: object) -> None:
    answer = api().post("/auth/register", body)
    assert answer.status_code == 422


def test_registration_is_limited_per_address(api: SignIn) -> None:
    for number in range(5):
        api().post("/auth/register", DANA | {"email": f"a{number}@example.com"})
    answer = api().post("/auth/register", DANA)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert not User.objects.filter(email=DANA["email"]).exists()
    elsewhere = api().post("/auth/register", DANA, peer="203.0.113.1")
    assert elsewhere.status_code == 201
