"""Organizations themselves: founded, found, changed, deleted."""

import pytest

from accounts.models import User
from audit.models import Event
from organizations.models import Organization
from organizations.roles import Role
from tests.conftest import SignIn
from tests.organizations.cast import role_of

pytestmark = pytest.mark.django_db


def test_whoever_founds_an_organization_owns_it(api: SignIn, alice: User) -> None:
    answer = api(alice).post("/organizations", {"name": " Acme Works "})
    assert answer.status_code == 201
    body = answer.json()
    organization = Organization.objects.get(pk=body["id"])
    assert body == {
        "id": str(organization.pk),
        "name": "Acme Works",
        "slug": "acme-works",
        "description": None,
        "is_active": True,
        "settings": {},
        "created_at": body["created_at"],
        "updated_at": None,
        "member_count": 1,
        "my_role": "owner",
    }
    assert role_of(organization, alice) == Role.OWNER
    event = Event.objects.get(action="organization.created")
    assert (event.actor_id, event.organization_id) == (alice.pk, organization.pk)
