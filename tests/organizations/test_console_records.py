"""What the console does to tenants stands in the log as if it were done by the API."""

from typing import Any

import pytest

from audit.models import Event
from organizations.models import Organization
from tests.accounts.console import Browser
from tests.conftest import SignIn
from tests.organizations.cast import make_tenant
from tests.organizations.test_console import invite
from tests.organizations.test_console_actions import act, events, seat_of

pytestmark = pytest.mark.django_db


def facts(event: Event) -> tuple[Any, ...]:
    """What an event says, but who did it and where."""
    data = {name: v for name, v in event.data.items() if name != "as_superuser"}
    return (event.action, event.outcome, event.target_type, data)


@pytest.mark.parametrize(
    ("room", "action", "verb", "path", "body"),
    [
        ("membership", "make_owner", "PATCH", "/members/{}", {"role": "owner"}),
        ("membership", "make_admin", "PATCH", "/members/{}", {"role": "admin"}),
        ("membership", "deactivate", "PATCH", "/members/{}", {"is_active": False}),
        ("membership", "remove", "DELETE", "/members/{}", None),
        ("invitation", "revoke", "DELETE", "/invitations/{}", None),
        ("invitation", "send_again", "POST", "/invitations/{}/resend", None),
        ("organization", "delete_for_good", "DELETE", "", None),
    ],
)
def test_the_record_says_the_same_as_of_a_call(  # noqa: PLR0917  # a table
    console: Browser, api: SignIn, room: str, action: str, verb: str, path: str, body: Any
) -> None:
    rows = [of_two[room] for of_two in (things("one"), things("two"))]
    owner = rows[0]["owner"]
    place = f"/organizations/one{path.format(rows[0]['id'])}"
    assert api(owner).call(verb, place, body).status_code == 200
    if action == "delete_for_good":
        Organization.objects.filter(slug="two").update(is_active=False)
    assert "1 changed." in act(console, action, rows[1]["row"])
    called, done = events()
    assert facts(called) == facts(done)
    assert "as_superuser" not in called.data
    assert done.data["as_superuser"] is True


def things(slug: str) -> dict[str, dict[str, Any]]:
    """By room: a row, its id in an address, and the owner who may touch it."""
    tenant = make_tenant("Acme", slug=slug)
    member, invitation = seat_of(tenant, tenant.member), invite(tenant, "d@example.com")
    rows = {
        "organization": (tenant.organization, ""),
        "membership": (member, tenant.member.pk),
        "invitation": (invitation, invitation.pk),
    }
    return {
        room: {"row": row, "id": pk, "owner": tenant.owner}
        for room, (row, pk) in rows.items()
    }
