"""Everything held about a person, for that person alone."""

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import exports
from accounts.models import Proof, User
from audit import services as audit
from audit.models import Event
from outbox.models import Mail
from outbox.sealing import unseal
from sessions_app.models import Session
from tests.client import Api
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

EXPORT = "/users/me/export"
EMAIL = "zuleika@quartermaine.example"
HOME, AGENT = "203.0.113.77", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
DEVICE = "zq-laptop"
REGISTER = {
    "email": EMAIL,
    "password": PASSWORD,
    "first_name": "Zuleika",
    "last_name": "Quartermaine",
    "phone_number": "+390212345678",
}
TRACES = {"zuleika", "quartermaine", "390212345678", DEVICE, HOME, AGENT.lower()}
# Fields of a person that say nothing about anybody, or must not be told.
NOT_EXPORTED = {
    "password",
    "email_key",
    "session_epoch",
    "deleted_at",
    "anonymized_at",
    "groups",
    "user_permissions",
}
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def live(api: SignIn, root: User, *, agent: str = AGENT) -> tuple[User, Api]:
    """A person who leaves a trace wherever one can be left; and the signed-in client."""
    headers = {"User-Agent": agent, "X-Device-Id": DEVICE}
    call = partial(api().call, peer=HOME, headers=headers)
    assert call("POST", "/auth/register", REGISTER).status_code == 201
    user = User.objects.get(first_name="Zuleika")
    login = {"email": EMAIL, "password": PASSWORD}
    wrong = login | {"password": "wrong wrong wrong"}
    assert call("POST", "/auth/login", wrong).status_code == 401
    tokens = call("POST", "/auth/login", login).json()
    mine = {"Authorization": f"Bearer {tokens['access_token']}", **headers}
    call = partial(api().call, peer=HOME, headers=mine)
    spent = {"refresh_token": tokens["refresh_token"]}
    move = {"current_password": PASSWORD, "new_email": "zuleika@new.example"}
    for method, path, body, status in (
        ("POST", "/auth/refresh", spent, 200),
        ("POST", "/auth/password-reset/request", {"email": EMAIL}, 200),
        ("PATCH", "/users/me", {"preferences": {"nick": "Zuleika"}}, 200),
        ("POST", "/users/me/email", move, 200),
        ("GET", "/users", None, 403),
    ):
        assert call(method, path, body).status_code == status
    boss = api(root)
    boss.peer = "192.0.2.99"
    for last_name in ("Other", "Quartermaine"):
        body = {"last_name": last_name}
        boss.patch(f"/users/{user.pk}", body, headers={"User-Agent": "boss/9.9"})
    client = api(user)
    client.peer = HOME
    return user, client


def dump() -> str:
    """Every column of every table, and what sealed mails say."""
    found = [str(unseal(mail.sealed)) for mail in Mail.objects.exclude(sealed="")]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  # our own tables
            found += map(str, cursor.fetchall())
    return "\n".join(found).lower()


def traces() -> set[str]:
    everything = dump()
    return {trace for trace in TRACES if trace in everything}


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from strings(part)
    elif isinstance(value, str):
        yield value


def test_everything_held_is_in_the_file(api: SignIn, root: User) -> None:
    user, client = live(api, root)
    answer = client.get(EXPORT)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.headers["Content-Type"] == "application/json"
    name = f'attachment; filename="export-{user.pk}.json"'
    assert answer.headers["Content-Disposition"] == name
    held = answer.json()
    assert held.keys() == exports.sections.keys() >= {"account", "sessions", "events"}
    told = {**REGISTER, "id": str(user.pk), "preferences": {"nick": "Zuleika"}}
    del told["password"]
    assert held["account"].items() >= told.items()
    mine = Session.objects.filter(user=user).order_by("pk")
    assert [row["id"] for row in held["sessions"]] == [str(row.pk) for row in mine]
    first = held["sessions"][0]
    assert (first["device_id"], first["ip_address"]) == (DEVICE, HOME)
    assert (first["user_agent"], first["device_name"]) == (AGENT, "Firefox on Linux")
    assert len(held["events"]) == Event.objects.about(user.pk).count() == 11
    actions = [event["action"] for event in held["events"]]
    assert (actions[0], actions[-1]) == ("user.registered", "user.exported")
    # Whom a change of address was mailed to would tell whether that one is known.
    assert {mail["recipient"] for mail in held["mails"]} == {EMAIL}
    assert len(held["mails"]) == Mail.objects.of(user.pk).count() - 1 == 2


def test_every_field_of_a_person_is_exported_or_left_out_on_purpose(
    api: SignIn, alice: User
) -> None:
    """Whoever adds one decides which."""
    fields = User._meta.get_fields()
    own = {field.name for field in fields if not field.auto_created}
    exported = set(api(alice).get(EXPORT).json()["account"])
    assert exported & NOT_EXPORTED == set()
    assert exported | NOT_EXPORTED == own


def test_times_are_those_of_the_contract(api: SignIn, root: User) -> None:
    _, client = live(api, root)
    found = [text for text in strings(client.get(EXPORT).json()) if TIME.match(text)]
    assert len(found) > 20
    assert [text for text in found if not RFC_3339.fullmatch(text)] == []


def test_no_secret_is_in_the_file(api: SignIn, root: User) -> None:
    user, client = live(api, root)
    row = User.objects.get(pk=user.pk)
    secrets = [row.password, client.tokens.access_token, client.tokens.refresh_token]
    for session in user.sessions.all():
        secrets += [session.refresh_digest, session.previous_digest]
    for proof in Proof.objects.of(user.pk):
        secrets += [proof.token_digest, proof.code_digest, proof.basis]
    secrets += Mail.objects.of(user.pk).values_list("sealed", flat=True)
    text = client.get(EXPORT).text
    assert len([secret for secret in secrets if secret]) > 15
    assert [secret for secret in secrets if secret and secret in text] == []
    for word in ("argon2", "digest", "sealed", 'password"', "epoch"):
        assert word not in text


def test_nobody_else_is_in_the_file(api: SignIn, root: User, alice: User) -> None:
    user, _ = live(api, root)
    client = api(alice)
    text = json.dumps(client.get(EXPORT).json()).lower()
    assert alice.email in text
    for trace in (str(user.pk), "zuleika", "quartermaine", "390212345678", HOME, DEVICE):
        assert trace not in text
    others = [
        Session.objects.exclude(user=alice),
        Event.objects.exclude(pk__in=Event.objects.about(alice.pk)),
        Mail.objects.exclude(person_id=alice.pk),
    ]
    for rows in others:
        ids = [str(pk) for pk in rows.values_list("pk", flat=True)]
        assert ids
        assert [pk for pk in ids if pk in text] == []


def test_who_acted_on_the_account_stays_untold(api: SignIn, root: User) -> None:
    """Their addresses, devices and sessions are theirs."""
    user, client = live(api, root)
    acted = Event.objects.filter(action="user.updated", actor_id=root.pk)
    assert set(acted.values_list("target_id", "address")) == {(user.pk, "192.0.2.99")}
    held = client.get(EXPORT).json()
    assert "user.updated" in [event["action"] for event in held["events"]]
    session = acted.values_list("session_id", flat=True)[0]
    text = json.dumps(held)
    traces = ("192.0.2.99", "boss/9.9", root.email, str(root.pk), str(session))
    assert [trace for trace in traces if trace in text] == []


def test_an_app_adds_a_section(
    api: SignIn, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def badges(user: User) -> list[dict[str, Any]]:
        return [{"of": user.pk, "since": timezone.now()}]

    monkeypatch.setitem(exports.sections, "badges", badges)
    [badge] = api(alice).get(EXPORT).json()["badges"]
    assert badge["of"] == str(alice.pk)
    assert RFC_3339.fullmatch(badge["since"])


def test_an_export_is_recorded_or_not_made(
    api: SignIn, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError

    client = api(alice)
    assert client.get(EXPORT).status_code == 200
    event = Event.objects.get(action="user.exported")
    assert (event.actor_id, event.target_id) == (alice.pk, alice.pk)
    monkeypatch.setattr(audit, "_add", fail)
    answer = client.get(EXPORT)
    refused(answer, 503, "unavailable")
    assert alice.email not in answer.text


def test_only_the_person_exports_and_five_times_a_minute(
    api: SignIn, alice: User, bob: User
) -> None:
    refused(api().get(EXPORT), 401)
    client = api(alice)
    answers = [client.get(EXPORT) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert int(answers[5].headers["Retry-After"]) > 0
    assert Event.objects.filter(action="user.exported").count() == 5
    assert api(bob).get(EXPORT).status_code == 200


def test_a_long_past_costs_no_more_statements(
    api: SignIn, alice: User, bob: User
) -> None:
    for _ in range(15):
        api(bob)
    costs = []
    for client in (api(alice), api(bob)):
        with CaptureQueriesContext(connection) as queries:
            held = client.get(EXPORT).json()
        costs.append(len(queries))
    assert len(held["sessions"]) == 16
    assert costs[0] == costs[1]
