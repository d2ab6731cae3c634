"""A form that was opened before somebody else took a right away does not give it back."""

from html.parser import HTMLParser

import pytest

from accounts.models import User
from organizations.roles import Role
from tests.accounts.console import CONFIRMED, Browser
from tests.conftest import SignIn
from tests.organizations.cast import Tenant, role_of
from tests.organizations.test_console import room_url

pytestmark = pytest.mark.django_db


class Form(HTMLParser):
    """What a browser would send of a page: every field as it was filled in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: dict[str, str] = {}
        self.menu = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, kind = given.get("name", ""), given.get("type", "")
        if tag == "select":
            self.menu = name
        elif tag == "option" and self.menu and "selected" in given:
            self.sent[self.menu] = given["value"]
        elif tag == "input" and name and kind in {"text", "hidden"}:
            self.sent.setdefault(name, given.get("value", ""))
        elif tag == "input" and kind == "checkbox" and "checked" in given:
            self.sent[name] = given.get("value", "on")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self.menu = ""


def opened(console: Browser, path: str) -> dict[str, str]:
    form = Form(console.get(path).text).sent
    kept = {name: value for name, value in form.items() if name not in ACTING}
    return kept | {"_save": "Save", **CONFIRMED}


# Of the other form on the page, and the token that a browser of ours sends itself.
ACTING = {"action", "_selected_action", "csrfmiddlewaretoken"}


def test_an_old_form_of_a_person_gives_no_right_back(
    api: SignIn, console: Browser, second: User, root: User
) -> None:
    path = f"/admin/accounts/user/{second.pk}/change/"
    form = opened(console, path)
    demoted = api(root).put(f"/admin/users/{second.pk}", {"is_superuser": False})
    assert demoted.status_code == 200
    console.post(path, form | {"first_name": "Sec"})
    assert not User.objects.get(pk=second.pk).is_superuser


def test_an_old_form_of_an_organization_gives_no_role_back(
    api: SignIn, console: Browser, acme: Tenant
) -> None:
    path = room_url("organization", acme.organization)
    form = opened(console, path)
    body = {"role": "member"}
    assert api(acme.owner).patch(acme.member_url(acme.admin), body).status_code == 200
    console.post(path, form)
    assert role_of(acme.organization, acme.admin) == Role.MEMBER


def test_an_old_form_in_which_somebody_is_gone_changes_nothing(
    api: SignIn, console: Browser, acme: Tenant
) -> None:
    path = room_url("organization", acme.organization)
    form = opened(console, path)
    assert api(acme.owner).delete(acme.member_url(acme.member)).status_code == 200
    body = {"role": "member"}
    assert api(acme.owner).patch(acme.member_url(acme.admin), body).status_code == 200
    console.post(path, form)
    assert role_of(acme.organization, acme.admin) == Role.MEMBER
    assert role_of(acme.organization, acme.member) is None


def test_an_old_form_changes_nobody_in_the_place_of_who_is_gone(
    api: SignIn, console: Browser, acme: Tenant, root: User
) -> None:
    """Rows of a form have numbers; members behind them come and go."""
    path = room_url("organization", acme.organization)
    form = opened(console, path)
    number = next(
        name.split("-")[1]
        for name, value in form.items()
        if name.endswith("-id") and value == str(seat(acme, acme.admin))
    )
    answer = api(root).delete(f"/admin/users/{acme.admin.pk}")
    assert answer.status_code == 200
    console.post(path, form | {f"memberships-{number}-DELETE": "on"})
    assert role_of(acme.organization, acme.member) == Role.MEMBER
    assert role_of(acme.organization, acme.owner) == Role.OWNER


def seat(tenant: Tenant, person: User) -> object:
    return tenant.organization.memberships.get(user=person).pk
