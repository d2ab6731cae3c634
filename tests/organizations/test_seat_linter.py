"""No endpoint reads an organization's rows but from the caller's seat: a linter."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.permissions import SUPERUSERS_ONLY
from organizations.api.organizations import CapabilitiesView
from organizations.api.permissions import OrganizationView
from organizations.roles import Capability
from organizations.seats import Seat
from tests.organizations.access import routes
from tests.servers import ROOT

MODULES = [*sorted(ROOT.glob("[a-z]*/api/**/*.py")), ROOT / "config" / "stats.py"]
# Of all tenants at once, and for superusers alone.
WHOLE = {ROOT / "audit" / "api" / "views.py", ROOT / "config" / "stats.py"}
PERMISSIONS = ROOT / "organizations" / "api" / "permissions.py"
# What rows can be had from. It may stand in a module as the type of something, no more.
SOURCES = {
    *("Organization", "OrganizationQuerySet"),
    *("Membership", "MembershipQuerySet"),
    *("Invitation", "InvitationQuerySet"),
    *("Event", "EventQuerySet"),
    "Seat",
}
# Ways around those names: models found by text, rows without a model.
DETOURS = {
    *("get_model", "get_models", "import_string", "import_module", "__import__"),
    *("connection", "connections", "cursor", "raw"),
}
# The doors, each with the only way to it.
DOORS = {
    "memberships": ("self.seat.organization", "seat.organization"),
    "invitations": ("self.seat.organization",),
    "organization_events": ("self.seat",),
    "sent_invitations": (),
    "own_membership": (),
}
SEAT_TAKERS = {"take_seat", "lock_seat"}


def offences(source: str) -> list[str]:
    """What in this module of an API reads past the seat, by line."""
    tree = ast.parse(source)
    types = {id(inner) for note in _annotations(tree) for inner in ast.walk(note)}
    aliases = {name: name for name in SOURCES}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            aliases |= {n.asname: n.name for n in node.names if n.asname}
    return [
        f"{getattr(node, 'lineno', 0)}: {offence}"
        for node in ast.walk(tree)
        if id(node) not in types and (offence := _offence(node, aliases))
    ]


def _annotations(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns:
            yield node.returns
        elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
            yield node.annotation


def _offence(node: ast.AST, aliases: dict[str, str]) -> str:
    if isinstance(node, ast.ImportFrom):
        named = {alias.name for alias in node.names}
        return ", ".join(sorted(named & (DETOURS | {"*"})))
    if isinstance(node, ast.Name):
        name = aliases.get(node.id, node.id)
        return name if name in SOURCES | {"__import__"} else ""
    if isinstance(node, ast.Attribute):
        if node.attr in SOURCES | DETOURS:
            return node.attr
        ways = DOORS.get(node.attr)
        passed = ways is not None and ast.unparse(node.value) not in ways
        return node.attr if passed else ""
    return ""


# --- The linter works --------------------------------------------------------------


IMPORTED = "from organizations.models import Invitation, Membership, Organization\n"


@pytest.mark.parametrize(
    "source",
    [
        f"{IMPORTED}rows = Organization.objects.all()",
        f"{IMPORTED}rows = Membership.objects.filter(user=1)",
        f"{IMPORTED}row = Invitation.objects.get(pk=1)",
        "from audit.models import Event\nrows = Event.objects.filter(actor_id=1)",
        "from audit.models import Event as E\nrows = E.objects.all()",
        "from organizations.models import Organization as Tenant\nTenant.objects.get()",
        "from organizations import models\nrows = models.Organization.objects.all()",
        "from organizations import models as m\nrows = m.Membership.objects.all()",
        "import organizations.models\norganizations.models.Invitation.objects.all()",
        "from organizations.models import *\nOrganization.objects.all()",
        f"{IMPORTED}rows = Organization._default_manager.all()",
        f"{IMPORTED}rows = getattr(Organization, 'objects').all()",
        f"{IMPORTED}manager = Organization\nrows = manager.objects.all()",
        f"{IMPORTED}class View:\n    queryset = Organization.objects",
        f"{IMPORTED}class Shape:\n    class Meta:\n        model = Organization",
        f"{IMPORTED}row = get_object_or_404(Organization, pk=1)",
        f"{IMPORTED}row = shortcuts.get_object_or_404(Organization.objects, pk=1)",
        f"{IMPORTED}rows = get_list_or_404(Membership)",
        f"{IMPORTED}def view(rows: Any = Organization.objects) -> None: ...",
        f"{IMPORTED}rows: list[Organization] = list(Organization.objects.all())",
        "from organizations.models import OrganizationQuerySet\nOrganizationQuerySet()",
        "from django.apps import apps\napps.get_model('organizations', 'Organization')",
        "from django.apps.apps import get_model as find",
        "import django\ndjango.apps.apps.get_model('audit.Event')",
        "from django.utils.module_loading import import_string",
        "import importlib\nimportlib.import_module('organizations.models')",
        "from django.db import connection\nconnection.cursor()",
        "from django import db\ndb.connection.cursor()",
        "rows = User.objects.raw('SELECT * FROM organizations_organization')",
        "rows = request.user.memberships.all()",
        "rows = caller(request).sent_invitations.all()",
        "rows = membership.organization.memberships.all()",
        "rows = self.seat.user.memberships.all()",
        "rows = other.organization_events",
        "models = __import__('organizations.models')",
        "seat = Seat(request.user, organization, Role.OWNER)",
        "from organizations import seats\nseat = seats.Seat(user, organization, role)",
    ],
)
def test_reading_past_the_seat_is_found(source: str) -> None:
    assert offences(source) != []


@pytest.mark.parametrize(
    "source",
    [
        "rows = self.seat.organization.memberships.listed()",
        "rows = self.seat.organization.invitations.select_related('inviter')",
        "rows = self.seat.organization_events",
        "rows = organizations_of(caller(request), is_active=True)",
        "people = User.objects.existing()",
        f"{IMPORTED}def changed(request: Request) -> Organization: ...",
        f"{IMPORTED}async def all_of(rows: list[Membership]) -> None: ...",
        "seat: Seat | None = vars(self).get('seat')",
        "class ExportSerializer:\n    memberships = ListField()\n    invitations = 1",
        "from organizations.api import invitations\ninvitations.InvitationView.as_view()",
    ],
)
def test_reading_from_the_seat_is_left_alone(source: str) -> None:
    assert offences(source) == []


def test_an_offence_is_told_by_its_line() -> None:
    source = f"{IMPORTED}\nrows = Organization.objects.all()"
    assert offences(source) == ["3: Organization"]


# --- And what it finds -------------------------------------------------------------


def test_the_linter_reads_every_module_of_an_api() -> None:
    read = {str(path.relative_to(ROOT)) for path in MODULES}
    assert read >= {f"organizations/api/{name}.py" for name in ("events", "members")}
    views = {view for view in routes().values() if hasattr(view, "as_view")}
    assert {f"{view.__module__.replace('.', '/')}.py" for view in views} <= read


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_endpoint_reads_past_the_seat(path: Path) -> None:
    assert path in WHOLE or offences(path.read_text()) == []


def test_what_reads_all_tenants_is_for_superusers() -> None:
    modules = {f"{path.relative_to(ROOT)}" for path in WHOLE}
    views = [v for v in routes().values() if hasattr(v, "as_view")]
    reading = [v for v in views if f"{v.__module__.replace('.', '/')}.py" in modules]
    assert len(reading) == 2
    assert all(view.permission_classes == SUPERUSERS_ONLY for view in reading)


def test_a_seat_is_taken_in_one_place() -> None:
    for path in MODULES:
        names = {
            getattr(node, "id", getattr(node, "attr", ""))
            for node in ast.walk(ast.parse(path.read_text()))
        }
        assert path == PERMISSIONS or not names & SEAT_TAKERS, path


# --- Every view below an organization ----------------------------------------------


def faults(view: type[APIView]) -> list[str]:
    """Why a view is not one that may stand below /organizations/<organization>."""
    if not issubclass(view, OrganizationView):
        return ["is no OrganizationView"]
    found = []
    kept = ("permission_classes", "authentication_classes", "seat", "check_permissions")
    for name in (*kept, "get_permissions", "initial", "dispatch"):
        if getattr(view, name) is not getattr(OrganizationView, name):
            found.append(f"has a {name} of its own")
    methods = set(view.http_method_names) - {"options", "head"}
    answered = {name.upper() for name in methods if hasattr(view, name)}
    if getattr(view, "needs", {}).keys() != answered:
        found.append(f"does not say what {sorted(answered)} need")
    return found


class Outside(APIView):
    """A view that takes no seat."""


class Silent(OrganizationView):
    def get(self, request: Request, organization: str) -> Response:
        return Response()


class Half(CapabilitiesView):
    def post(self, request: Request, organization: str) -> Response:
        return Response()


class Idle(CapabilitiesView):
    needs: ClassVar = CapabilitiesView.needs | {"PUT": Capability.UPDATE_ORGANIZATION}


class Open(CapabilitiesView):
    permission_classes = [AllowAny]


class Own(CapabilitiesView):
    def check_permissions(self, request: Request) -> None:
        return


class Elsewhere(CapabilitiesView):
    @property
    def seat(self) -> Seat:
        raise NotImplementedError


@pytest.mark.parametrize("view", [Outside, Silent, Half, Idle, Open, Own, Elsewhere])
def test_a_view_that_is_careless_is_found(view: type[APIView]) -> None:
    assert len(faults(view)) == 1


def below_an_organization() -> list[Any]:
    return [
        pytest.param(view, id=path)
        for path, view in routes().items()
        if "{organization}" in path
    ]


@pytest.mark.parametrize("view", below_an_organization())
def test_every_view_below_an_organization_says_what_its_methods_need(
    view: type[APIView],
) -> None:
    assert faults(view) == []


def test_there_are_views_below_an_organization() -> None:
    assert len(below_an_organization()) >= 10


def test_only_those_below_an_organization_have_a_seat() -> None:
    others = [view for path, view in routes().items() if "{organization}" not in path]
    assert not [v for v in others if isinstance(v, type) and hasattr(v, "seat")]
