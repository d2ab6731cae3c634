"""What clients say, in whatever form, and what they are answered."""

from typing import Any

import pytest
from django.db import OperationalError, ProgrammingError

from accounts.models import User
from config.errors import Unavailable
from live import messages, sockets, visibility
from live.frames import MAXIMUM_BYTES
from sessions_app import services as sessions
from sessions_app.models import EndReason, Session
from sessions_app.services import Tokens, start_session
from tests.live import document
from tests.live.conftest import Live
from tests.live.listener import Listener
from tests.organizations.cast import Tenant
from tests.sessions_app.forge import claims_of, forged

pytestmark = pytest.mark.django_db

INVALID = (4401, "token_invalid")


def test_a_ping_is_answered_with_a_place_in_the_log(live: Live, alice: User) -> None:
    listener = live.open(alice)
    first, second = listener.ask("ping"), listener.ask("ping")
    assert first["type"] == second["type"] == "pong"
    assert first["last_event_id"] < second["last_event_id"]


# --- The document ------------------------------------------------------------------


def test_the_document_lists_what_can_be_said() -> None:
    assert document.types("say") == set(messages.ANSWERS)


def test_the_document_lists_what_can_be_told() -> None:
    tables = (visibility.OWN, visibility.TENANT)
    events = {shown.type for table in tables for shown in table.values()}
    answers = {"ready", "pong", "subscribed", "unsubscribed", "error"}
    assert document.types("tell") == events | answers
    listed = document.document()["channels"]["events"]["messages"]
    assert set(listed) == document.types("tell") | document.types("say")
    assert set(document.document()["components"]["messages"]) == set(listed)


@pytest.mark.parametrize(
    ("schema", "table"),
    [("ownEvent", visibility.OWN), ("tenantEvent", visibility.TENANT)],
)
def test_the_schemas_name_the_types_and_fields_of_the_tables(
    schema: str, table: dict[str, visibility.Shown]
) -> None:
    told = document.document()["components"]["schemas"][schema]["properties"]
    assert set(told["type"]["enum"]) == {shown.type for shown in table.values()}
    fields: set[str] = set()
    for shown in table.values():
        fields |= {shown.target, *shown.data, *(shown.implied or {})} - {""}
    assert set(told["data"]["properties"]) == fields


# --- What is no message ------------------------------------------------------------

MALFORMED: dict[str, str] = {
    "empty": "",
    "a blank": " ",
    "no JSON": "{",
    "text behind": '{"type": "ping"} x',
    "an array": '[{"type": "ping"}]',
    "a number": "7",
    "a string": '"ping"',
    "null": "null",
    "no type": "{}",
    "null as type": '{"type": null}',
    "a number as type": '{"type": 1}',
    "an array as type": '{"type": ["ping"]}',
    "an object as type": '{"type": {"ping": 1}}',
    "deep arrays": "[" * 20_000 + "]" * 20_000,
    "deep objects": '{"type":' * 7_000 + "1" + "}" * 7_000,
    "deep inside": '{"type": "ping", "x": ' + "[" * 200 + "]" * 200 + "}",
    "many members": '{"type": "ping", "x": [' + "0," * 30_000 + "0]}",
    "NaN": '{"type": "ping", "x": NaN}',
    "Infinity": '{"type": "ping", "x": -Infinity}',
    "an infinite number": '{"type": "ping", "x": 1e999}',
    "a huge integer": '{"type": "ping", "x": ' + "9" * 5_000 + "}",
    "NUL": "\0",
    "NUL in a text": '{"type": "ping\\u0000"}',
    "NUL in a name": '{"type": "ping", "\\u0000": 1}',
    "a lone surrogate": '{"type": "\\ud800"}',
    "a lone surrogate in a name": '{"type": "ping", "\\udfff": 1}',
    "a byte order mark": '\ufeff{"type": "ping"}',
    "single quotes": "{'type': 'ping'}",
    "a comment": '{"type": "ping"} // hello',
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_message_is_an_error_and_closes_nothing(
    live: Live, alice: User, name: str
) -> None:
    listener = live.open(alice)
    listener.say_text(MALFORMED[name])
    assert listener.next()["code"] == "malformed_request"
    assert listener.ask("ping")["type"] == "pong"


@pytest.mark.parametrize(
    "kind", ["", "Ping", "ping ", "ready", "__class__", "\uff50ing", "💥"]
)
def test_an_unknown_type_is_an_error(live: Live, alice: User, kind: str) -> None:
    listener = live.open(alice)
    assert listener.ask(kind)["code"] == "unknown_message"
    assert listener.ask("ping")["type"] == "pong"


def test_of_two_types_the_last_counts_and_what_else_is_said_is_ignored(
    live: Live, alice: User
) -> None:
    listener = live.open(alice)
    listener.say_text('{"type": "x", "more": [1, {"a": null}], "type": "ping"}')
    assert listener.next()["type"] == "pong"


def test_a_binary_frame_closes(live: Live, alice: User) -> None:
    listener = live.open(alice)
    listener.say_bytes(b'{"type": "ping"}')
    assert listener.end() == (1003, "unsupported_media_type")


def padded(size: int, character: str) -> str:
    """A ping of so many bytes."""
    start, end = '{"type": "ping", "x": "', '"}'
    room = size - len(start) - len(end)
    number, rest = divmod(room, len(character.encode()))
    return f"{start}{character * number}{'x' * rest}{end}"


@pytest.mark.parametrize("character", ["x", "é", "€", "💥"])
def test_bytes_count_and_one_too_many_closes(
    live: Live, alice: User, character: str
) -> None:
    listener = live.open(alice)
    largest = padded(MAXIMUM_BYTES, character)
    assert len(largest.encode()) == MAXIMUM_BYTES
    listener.say_text(largest)
    assert listener.next()["type"] == "pong"
    listener.say_text(padded(MAXIMUM_BYTES + 1, character))
    assert listener.end() == (1009, "message_too_large")


def test_messages_are_answered_in_order(live: Live, alice: User, acme: Tenant) -> None:
    listener = live.open(acme.member)
    where = str(acme.organization.pk)
    listener.say("subscribe", organization_id=where)
    listener.say("ping")
    listener.say("unsubscribe", organization_id=where)
    listener.say("nothing")
    answers = [listener.next()["type"] for _ in range(4)]
    assert answers == ["subscribed", "pong", "unsubscribed", "error"]


ODD_IDS: list[Any] = [
    None,
    "",
    1,
    True,
    [],
    {},
    "x",
    "0",
    "../../etc",
    "{01920000-0000-7000-8000-000000000000}",
    "urn:uuid:01920000-0000-7000-8000-000000000000",
    "01920000000070008000000000000000",
    "01920000-0000-7000-8000-00000000000",
    "01920000-0000-7000-8000-0000000000000",
    " 01920000-0000-7000-8000-000000000000",
    "\uff101920000-0000-7000-8000-000000000000",
    "0192_000-0000-7000-8000-000000000000",
    "+1920000-0000-7000-8000-000000000000",
    ["01920000-0000-7000-8000-000000000000"],
    2**200,
]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("subscribe", "organization_id"),
        ("unsubscribe", "organization_id"),
        ("resume", "after"),
    ],
)
@pytest.mark.parametrize("value", ODD_IDS, ids=repr)
def test_odd_ids_are_not_valid(
    live: Live, alice: User, kind: str, name: str, value: Any
) -> None:
    listener = live.open(alice)
    assert listener.ask(kind, **{name: value})["code"] == "validation_failed"
    assert set(live.socket(listener).subscriptions.requested) == set()
    assert listener.ask(kind)["code"] == "validation_failed"
    assert listener.ask("ping")["type"] == "pong"


def test_an_id_may_be_in_upper_case(live: Live, acme: Tenant) -> None:
    listener = live.open(acme.member)
    where = str(acme.organization.pk)
    answer = listener.ask("subscribe", organization_id=where.upper())
    assert answer == {"type": "subscribed", "organization_id": where}


# --- Too many ----------------------------------------------------------------------


@pytest.fixture
def still(live: Live, alice: User, monkeypatch: pytest.MonkeyPatch) -> Listener:
    """Its second does not end by itself."""
    listener = live.open(alice)
    socket = live.socket(listener)
    socket.second = live.loop.time() + 3600
    return listener


def test_the_twenty_first_message_of_a_second_is_an_error(still: Listener) -> None:
    for _ in range(20):
        assert still.ask("ping")["type"] == "pong"
    assert still.ask("ping")["code"] == "too_many_requests"
    assert still.is_open


def test_a_new_second_is_a_new_allowance(live: Live, still: Listener) -> None:
    for _ in range(21):
        still.ask("ping")
    live.socket(still).second -= 7200
    assert still.ask("ping")["type"] == "pong"


def test_a_flood_closes(live: Live, still: Listener) -> None:
    for _ in range(sockets.FLOOD):
        still.say("ping")
    codes = [still.next().get("code") for _ in range(sockets.FLOOD)]
    assert codes == [None] * 20 + ["too_many_requests"] * 80
    still.say("ping")
    assert still.end() == (4429, "too_many_requests")


def test_what_is_refused_counts_as_well(live: Live, still: Listener) -> None:
    for _ in range(sockets.FLOOD + 50):
        still.say_text("junk")
    assert still.end() == (4429, "too_many_requests")


# --- Faults ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (OperationalError("away"), "unavailable"),
        (ProgrammingError("ours"), "internal_error"),
        (Unavailable(), "unavailable"),
    ],
)
def test_a_database_that_is_away_is_an_error_and_joins_nothing(
    live: Live,
    acme: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
    code: str,
) -> None:
    listener = live.open(acme.member)
    where = str(acme.organization.pk)

    def broken(*args: Any) -> None:
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr("live.questions.find_role", broken)
        answer = listener.ask("subscribe", organization_id=where)
    assert (answer["code"], answer["organization_id"]) == (code, where)
    assert acme.organization.pk not in live.hub.groups
    assert listener.ask("subscribe", organization_id=where)["type"] == "subscribed"


def test_a_database_that_is_away_lets_nobody_in(
    live: Live, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> None:
        raise OperationalError("away")

    monkeypatch.setattr("live.questions.enter", broken)
    listener = live.wish(start_session(user=alice).access_token)
    assert listener.end() == (1013, "unavailable")
    assert listener.frames == []


def test_a_fault_of_ours_while_entering_closes_1011(
    live: Live, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> None:
        raise ProgrammingError("no such column")

    monkeypatch.setattr("live.questions.enter", broken)
    listener = live.wish(start_session(user=alice).access_token)
    ended = listener.end()
    assert ended
    assert ended[0] == 1011


def test_a_crash_in_an_answer_closes_1011_and_is_logged(
    live: Live, alice: User, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    async def broken(*args: Any) -> None:
        raise LookupError("nobody thought of this")

    listener = live.open(alice)
    monkeypatch.setitem(messages.ANSWERS, "ping", broken)
    listener.say("ping")
    ended = listener.end()
    assert ended
    assert ended[0] == 1011
    assert "socket_crashed" in caplog.text
    assert "nobody thought of this" in caplog.text
    assert not live.hub.sockets
    assert not live.hub.groups


def test_who_hangs_up_leaves_nothing(live: Live, acme: Tenant) -> None:
    listener = live.follow(acme.member, acme)
    assert live.hub.groups
    listener.hang_up(1001)
    assert listener.end() is None
    assert not live.hub.sockets
    assert not live.hub.groups


# --- authenticate ------------------------------------------------------------------


def renewed(pair: Tokens) -> str:
    """A token of the same session that lasts an hour longer."""
    expires = claims_of(pair.access_token)["exp"] + 3600
    return forged(pair.access_token, claims={"exp": expires})


def test_a_newer_token_keeps_it_open(live: Live, alice: User) -> None:
    pair = start_session(user=alice)
    listener = live.wish(pair.access_token)
    first = listener.next()
    second = listener.ask("authenticate", access_token=renewed(pair))
    assert (second["type"], second["session_id"]) == ("ready", first["session_id"])
    assert second["expires_at"] > first["expires_at"]
    left = live.socket(listener).expiry.when() - live.loop.time()
    assert left > 3600


def test_a_rotated_session_goes_on(live: Live, alice: User) -> None:
    pair = start_session(user=alice)
    listener = live.open(pair)
    with live.committed():
        newer = sessions.rotate_session(refresh_token=pair.refresh_token)
    assert listener.is_open
    assert listener.ask("authenticate", access_token=newer.access_token)["type"] == (
        "ready"
    )


def test_an_older_token_changes_nothing(live: Live, alice: User) -> None:
    pair = start_session(user=alice)
    listener = live.wish(renewed(pair))
    first = listener.next()
    answer = listener.ask("authenticate", access_token=pair.access_token)
    assert answer["expires_at"] == first["expires_at"]
    assert live.socket(listener).expiry.when() - live.loop.time() > 3600


@pytest.mark.parametrize("whose", ["another session", "another person"])
def test_a_token_of_another_session_is_refused(
    live: Live, alice: User, bob: User, whose: str
) -> None:
    listener = live.open(alice)
    other = start_session(user=alice if whose == "another session" else bob)
    answer = listener.ask("authenticate", access_token=other.access_token)
    assert answer["code"] == "foreign_session"
    assert live.socket(listener).claims.user_id == alice.pk
    assert listener.ask("ping")["type"] == "pong"


@pytest.mark.parametrize("text", ["x", "a.b.c", "é", "\x7f"])
def test_garbage_is_no_token(live: Live, alice: User, text: str) -> None:
    listener = live.open(alice)
    assert listener.ask("authenticate", access_token=text)["code"] == "token_invalid"
    assert listener.ask("ping")["type"] == "pong"


@pytest.mark.parametrize("value", [None, "", 1, [], {"a": 1}], ids=repr)
def test_what_is_no_text_is_no_token(live: Live, alice: User, value: Any) -> None:
    listener = live.open(alice)
    answer = listener.ask("authenticate", access_token=value)
    assert answer["code"] == "validation_failed"


def test_a_refresh_token_does_not_renew(live: Live, alice: User) -> None:
    pair = start_session(user=alice)
    listener = live.open(pair)
    answer = listener.ask("authenticate", access_token=pair.refresh_token)
    assert answer["code"] == "token_invalid"


def test_a_newer_token_of_an_ended_session_closes(live: Live, alice: User) -> None:
    pair = start_session(user=alice)
    listener = live.open(pair)
    # Not announced: the layer was away.
    sessions.end_session(session=Session.objects.get(), by=alice, reason=EndReason.LOGOUT)
    listener.say("authenticate", access_token=renewed(pair))
    assert listener.end() == (4401, "session_ended")
