"""What the lists of the console's rooms for tenants cost, and what they may be asked."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.accounts.console import Browser
from tests.organizations.cast import make_tenant
from tests.organizations.test_console import (
    BASE,
    NOBODY,
    ROOMS,
    Scene,
    invite,
    make_scene,
    room_url,
    rows_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(db: Any) -> Scene:
    return make_scene()


# --- Costs -------------------------------------------------------------------------


@pytest.fixture
def crowds(db: Any) -> Callable[[list[str]], None]:
    """Adds organizations, each with people of its own and an invitation."""

    def add(names: list[str]) -> None:
        for name in names:
            invite(make_tenant(name), f"{name}@example.com")

    return add


@pytest.mark.parametrize(
    ("room", "query"),
    [
        *((room, query) for room in ROOMS for query in ("", "?o=1")),
        ("organization", "?q=tenant"),
    ],
)
def test_a_list_costs_as_much_for_fifty_as_for_one(
    console: Browser, crowds: Callable[[list[str]], None], room: str, query: str
) -> None:
    counts = []
    for numbers in (range(1), range(1, 50)):
        crowds([f"tenant{number}" for number in numbers])
        with CaptureQueriesContext(connection) as queries:
            shown = rows_of(console.get(room_url(room) + query))
        counts.append((len(queries.captured_queries), len(shown)))
    assert counts[0][0] == counts[1][0]
    assert counts[1][1] == 50


# --- Odd questions -----------------------------------------------------------------


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("q=%00", 400),
        ("q=acme%00", 400),
        ("role__exact=%00", 400),
        ("%00=1", 400),
        (f"q={'x' * 6000}", 200),
        (f"q={'%20x' * 1500}", 200),
        ("q=%25_%27%22%5C", 200),
        ("q=%F0%9F%A6%8A", 200),
        ("q=%FF%FE", 200),
        ("q=%ED%A0%80", 200),
        ("p=abc", 200),
        ("p=0", 200),
        ("p=-1", 200),
        ("p=99999999999999999999", 200),
        ("o=abc.-99.3.-1", 200),
        ("o=99999999999999999999", 200),
        ("all=", 200),
        ("e=1", 200),
        ("_popup=1", 200),
        ("_facets=True", 200),
        ("nothing=1", 400),
    ],
)
def test_an_odd_question_is_no_fault(
    console: Browser, scene: Scene, room: str, query: str, status: int
) -> None:
    assert console.get(f"{room_url(room)}?{query}").status_code == status


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("value", ["nobody", "9", "", "null", "[]"])
@pytest.mark.parametrize("lookup", ["exact", "in", "gt", "isnull", "nothing"])
def test_a_filter_is_asked_for_anything(
    console: Browser, scene: Scene, room: str, value: str, lookup: str
) -> None:
    name = "is_active" if room == "organization" else "role"
    answer = console.get(f"{room_url(room)}?{name}__{lookup}={value}")
    assert answer.status_code in {200, 302, 400}


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("lookup", ["regex", "iregex"])
def test_a_filter_is_no_regular_expression(
    console: Browser, scene: Scene, room: str, lookup: str
) -> None:
    name = "is_active" if room == "organization" else "role"
    answer = console.get(f"{room_url(room)}?{name}__{lookup}=[")
    assert answer.status_code == 400


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("pk", ["abc", NOBODY, "_00", "%00", "x" * 3000])
@pytest.mark.parametrize("page", ["change", "history", "delete"])
def test_what_is_not_there_is_no_fault(
    console: Browser, room: str, pk: str, page: str
) -> None:
    answer = console.get(f"{BASE}/{room}/{pk}/{page}/")
    assert answer.status_code in {302, 400, 403, 404}
