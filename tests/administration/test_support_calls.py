"""Staff who are no superusers have nothing to say over REST."""

from typing import Any
from uuid import UUID

import pytest

from accounts.models import User
from audit.models import Event
from tests.administration.test_answers import ACTS, PAGES, filled
from tests.client import Api
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import UserFactory
from tests.organizations.cast import Tenant

pytestmark = pytest.mark.django_db

READ = [*PAGES, "/users/{person}", "/organizations/{acme}", "/stats", "/events"]
READ += ["/events?format=csv", "/events?format=json"]


@pytest.fixture
def support(api: SignIn) -> Api:
    return api(UserFactory.create(is_staff=True))


@pytest.fixture
def ids(api: SignIn, acme: Tenant, alice: User) -> dict[str, UUID]:
    return {
        "acme": acme.organization.pk,
        "person": acme.member.pk,
        "stranger": alice.pk,
        "session": api(acme.member).session.pk,
    }


@pytest.mark.parametrize("act", ACTS)
def test_support_acts_on_nothing(support: Api, ids: dict[str, UUID], act: str) -> None:
    method, path, body, action, _ = ACTS[act]
    answer = support.call(method, "/admin" + path.format(**ids), filled(body, ids))
    refused(answer, 403, "permission_denied")
    assert not Event.objects.filter(action=action).exists()


@pytest.mark.parametrize("path", READ)
def test_support_reads_nothing(support: Api, ids: dict[str, UUID], path: str) -> None:
    answer = support.get("/admin" + path.format(**ids))
    refused(answer, 403, "permission_denied")


@pytest.mark.parametrize("action", ["activate", "deactivate", "delete"])
def test_support_does_nothing_to_many(
    support: Api, ids: dict[str, UUID], action: str
) -> None:
    body: dict[str, Any] = {"action": action, "user_ids": [str(ids["person"])]}
    refused(support.post("/admin/users/bulk-action", body), 403, "permission_denied")
    assert User.objects.get(pk=ids["person"]).is_active
