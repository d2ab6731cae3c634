"""A demonstration's database: made up, but nothing in it breaks a rule."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, F, Q
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.addresses import email_key
from accounts.models import User
from accounts.phones import validate_phone_number
from audit.models import Event
from config.demo import steps
from config.demo.names import DOMAIN, address
from organizations.models import Membership, Organization
from organizations.slugs import validate_slug
from sessions_app.models import EndReason, Session
from tests.conftest import SignIn

pytestmark = pytest.mark.django_db

PASSWORD = "plum otter canvas meadow"


def seed(**options: Any) -> str:
    """What it said. Few of everything, unless told otherwise."""
    said = StringIO()
    few = {"users": 60, "sessions": 200, "organizations": 5}
    call_command("seed_demo", **(few | options), stdout=said)
    return said.getvalue()


def test_as_many_are_made_as_were_wanted() -> None:
    said = seed(users=300)
    people = User.objects.filter(email__endswith=f"@{DOMAIN}")
    assert people.count() == User.objects.count() == 300
    assert Session.objects.count() == 200
    assert Organization.objects.count() == 5
    assert "300 users, 300 events" in said
    assert f"{Membership.objects.count()} memberships" in said


def test_whoever_was_made_up_could_have_registered() -> None:
    seed(users=300)
    for person in User.objects.all():
        assert person.email_key == email_key(person.email)
        assert not person.is_staff
        assert not person.is_superuser
        if person.phone_number:
            validate_phone_number(person.phone_number)
        person.full_clean(exclude=["password"])
    gone = User.objects.exclude(deleted_at=None)
    assert gone.filter(is_active=False, deleted_at__gte=F("created_at")).count() == 1
    assert User.objects.filter(leaving_since__gte=F("created_at")).count() == 1


def test_what_is_made_in_parts_fits_together(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("PEOPLE", 7), ("SESSIONS", 11), ("TENANTS", 2)):
        monkeypatch.setattr(steps, name, size)
    seed()
    assert User.objects.count() == 60
    assert Session.objects.count() == 200
    assert Organization.objects.count() == 5
    assert Event.objects.count() == 65


def test_ids_are_in_the_order_of_time() -> None:
    seed()
    for model in (User, Session, Organization):
        rows = model._default_manager.order_by("created_at", "id").values_list("id")
        ids = [pk for (pk,) in rows]
        assert ids == sorted(ids)
        assert {pk.version for pk in ids} == {7}


def test_sessions_are_active_ended_or_past() -> None:
    seed(sessions=1000)
    now = timezone.now()
    active = Session.objects.active(now)
    assert 400 < active.count() < 700
    assert Session.objects.filter(ended_at=None, expires_at__lte=now).exists()
    reasons = set(Session.objects.values_list("end_reason", flat=True))
    assert reasons > {"", EndReason.LOGOUT, EndReason.REVOKED, EndReason.DEACTIVATED}
    assert not active.exclude(user__is_active=True, user__leaving_since=None).exists()
    early = Q(created_at__lt=F("user__created_at")) | Q(last_used_at__lt=F("created_at"))
    late = Q(ended_at__gt=now) | Q(last_used_at__gt=now)
    assert not Session.objects.filter(early | late).exists()


def test_many_sessions_of_few_people_leave_few_active(settings: Settings) -> None:
    settings.SESSIONS_PER_USER = 10
    seed(users=5, sessions=1000)
    numbers = Session.objects.active().values("user").annotate(number=Count("pk"))
    assert max(row["number"] for row in numbers) < 20


@pytest.mark.parametrize("users", [1, 60])
def test_every_organization_has_an_owner_who_is_there(users: int) -> None:
    seed(users=users, organizations=20)
    for organization in Organization.objects.all():
        assert organization.memberships.owning().exists()
        validate_slug(organization.slug)
    early = Q(joined_at__lt=F("user__created_at"))
    early |= Q(joined_at__lt=F("organization__created_at"))
    assert not Membership.objects.filter(early).exists()


def test_most_organizations_are_small() -> None:
    seed(organizations=40)
    counted = Organization.objects.annotate(number=Count("memberships"))
    sizes = sorted(counted.values_list("number", flat=True))
    assert sizes[-1] == 60
    assert sizes[20] < 30


def test_their_coming_is_in_the_trail() -> None:
    seed()
    registered = Event.objects.filter(action="user.registered")
    assert set(registered.values_list("target_id", flat=True)) == set(
        User.objects.values_list("pk", flat=True)
    )
    created = Event.objects.filter(action="organization.created")
    for event in created:
        owner = Membership.objects.get(
            user=event.actor_id, organization=event.organization_id
        )
        assert (owner.role, owner.joined_at) == ("owner", event.at)
    assert created.count() == 5


def test_they_sign_in_with_the_password_of_the_run(api: SignIn) -> None:
    seed(users=2, password=PASSWORD)
    hashed = User.objects.values_list("password", flat=True).distinct().get()
    assert hashed.startswith("argon2$argon2id$")
    body = {"email": address(0), "password": PASSWORD}
    answer = api().post("/auth/login", body)
    assert answer.status_code == 200
    assert answer.json()["user"]["email"] == address(0)


def test_without_a_password_nobody_signs_in() -> None:
    said = seed(users=2)
    assert "None of them can sign in" in said
    assert not any(person.has_usable_password() for person in User.objects.all())


def test_a_bad_password_is_refused_before_anything_is_made() -> None:
    with pytest.raises(CommandError, match=r"--password: .*12 characters"):
        seed(password="short")
    assert not User.objects.exists()


def test_a_second_run_goes_on_behind_the_first() -> None:
    seed()
    User.objects.filter(email=address(59)).update(email="moved@example.com")
    seed(users=30)
    assert User.objects.count() == 90
    assert Organization.objects.count() == 10
    assert Session.objects.count() == 400
    assert User.objects.filter(email=address(89)).exists()


@pytest.mark.parametrize(
    "wanted",
    [
        {"users": 0, "sessions": 0, "organizations": 0},
        {"users": 3, "sessions": 0, "organizations": 0},
        {"users": 1, "sessions": 1, "organizations": 1},
    ],
)
def test_nothing_and_little_are_numbers_too(wanted: dict[str, int]) -> None:
    seed(**wanted)
    assert User.objects.count() == wanted["users"]
    assert Session.objects.count() == wanted["sessions"]
    assert Organization.objects.count() == wanted["organizations"]


@pytest.mark.parametrize("number", ["-1", "many", "1.5", "", "²", "100000001"])
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(CommandError, match="whole number from 0"):
        call_command("seed_demo", f"--users={number}")


def test_nobody_signs_in_or_founds_where_nobody_is_made() -> None:
    with pytest.raises(CommandError, match="--users must be 1 or more"):
        seed(users=0)


@pytest.mark.parametrize("environment", ["production", "staging", "build"])
def test_a_service_is_not_filled_by_mistake(settings: Settings, environment: str) -> None:
    settings.ENVIRONMENT = environment
    with pytest.raises(CommandError, match=f"ENVIRONMENT is {environment}"):
        seed()
    assert not User.objects.exists()
    seed(users=1, yes_this_is_a_demo=True)
    assert User.objects.count() == 1
