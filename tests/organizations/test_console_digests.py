"""A token of an invitation is in its mail: the console has neither it nor its digest."""

import httpx
import pytest
from django.contrib.contenttypes.models import ContentType

from audit.models import Event
from organizations import services
from organizations.models import Invitation
from organizations.roles import Role
from outbox.models import Mail
from tests.accounts.console import Browser
from tests.organizations.cast import Tenant, invitation_token
from tests.organizations.test_console import BASE, ROOMS, room_url, rows_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def secrets(acme: Tenant) -> tuple[str, str]:
    """The token of an invitation, and its digest."""
    seat = acme.seat(acme.owner)
    services.invite_member(by=seat, email="fay@example.com", role=Role.MEMBER)
    return invitation_token("fay@example.com"), Invitation.objects.get().token_digest


def test_no_page_shows_a_token_or_its_digest(
    console: Browser, acme: Tenant, secrets: tuple[str, str]
) -> None:
    pages = everywhere(console, Invitation.objects.get())
    assert sum("fay@example.com" in page.text for page in pages) >= 4
    for page in pages:
        assert page.status_code == 200
        for secret in secrets:
            assert secret not in page.text
            assert secret[:16] not in page.text


def everywhere(console: Browser, invitation: Invitation) -> list[httpx.Response]:
    event = Event.objects.get(action="invitation.created")
    mail = Mail.objects.get(kind="organizations.invitation")
    paths = [
        *(f"invitation/{end}" for end in ("", f"{invitation.pk}/change/")),
        f"organization/{invitation.organization_id}/change/",
    ]
    others = ("audit/event", event), ("outbox/mail", mail)
    pages = [console.get(f"{BASE}/{path}") for path in paths]
    history = console.get(f"{BASE}/invitation/{invitation.pk}/history/")
    pages.append(console.get(history.headers["location"]))
    for room, row in others:
        pages += [
            console.get(f"/admin/{room}/"),
            console.get(f"/admin/{room}/{row.pk}/change/"),
        ]
    return pages


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_is_found_by_a_token_or_its_digest(
    console: Browser, secrets: tuple[str, str], room: str
) -> None:
    assert rows_of(console.get(room_url(room)))
    for secret in secrets:
        for words in (secret, secret[:16]):
            assert rows_of(console.get(f"{room_url(room)}?q={words}")) == set()


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize(
    "query",
    [
        "token_digest={d}",
        "token_digest__startswith={d}",
        "email_key=fay@example.com",
        "invitations__token_digest__startswith={d}",
        "organization__invitations__token_digest={d}",
        "role__invitations__token_digest={d}",
        "user__password__startswith=argon2",
        "inviter__password__startswith=argon2",
        "_to_field=token_digest",
        "_to_field=token_digest&_popup=1",
        "o=token_digest",
    ],
)
def test_a_digest_is_not_asked_for_letter_by_letter(
    console: Browser, secrets: tuple[str, str], room: str, query: str
) -> None:
    answers = [
        console.get(f"{room_url(room)}?{query.format(d=tried)}")
        for tried in (secrets[1], "0" * 64)
    ]
    assert len({answer.status_code for answer in answers}) == 1
    if answers[0].status_code == 200:
        assert rows_of(answers[0]) == rows_of(answers[1]) != set()


def test_a_row_is_not_opened_by_a_digest(
    console: Browser, secrets: tuple[str, str]
) -> None:
    for query in ("", "?_to_field=token_digest"):
        answer = console.get(f"{BASE}/invitation/{secrets[1]}/change/{query}")
        assert answer.status_code in {302, 400}
        assert "fay@example.com" not in answer.text


@pytest.mark.parametrize("pk", ["abc", "0" * 64])
def test_there_is_no_way_round_a_room(console: Browser, pk: str) -> None:
    kind = ContentType.objects.get_for_model(Invitation)
    assert console.get(f"/admin/r/{kind.pk}/{pk}/").status_code == 404
