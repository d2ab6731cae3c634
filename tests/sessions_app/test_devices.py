"""What a device is called, and the list of them."""

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from sessions_app.devices import device_name
from sessions_app.lookup import lock_person
from sessions_app.models import Session
from tests.conftest import SignIn
from tests.factories import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_clock")]

MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
DROID = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("", ""),
        ("curl/8.5.0", "curl"),
        ("Acme-App/3", "Acme-App/3"),
        ("x" * 512, "x" * 255),
        (f"{MAC} Version/17.5 Safari/605.1.15", "Safari on Mac OS X"),
        (
            f"{PHONE} Version/17.5 Mobile/15E148 Safari/604.1",
            "Mobile Safari on iPhone",
        ),
        (f"{DROID} Chrome/126.0.0.0 Mobile Safari/537.36", "Chrome Mobile on Pixel 8"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("Mozilla/5.0 (" + "(" * 490, "Mozilla/5.0 (" + "(" * 242),
    ],
)
def test_a_device_is_named_after_what_it_says_of_itself(agent: str, name: str) -> None:
    assert device_name(agent) == name


@pytest.mark.parametrize("path", ["/auth/login", "/auth/login/oauth"])
@pytest.mark.parametrize(
    ("header", "stored"), [("", None), ("d-1", "d-1"), ("x" * 255, "x" * 255), ("é", "é")]
)
def test_a_client_may_name_its_device(
    api: SignIn, alice: User, path: str, header: str, stored: str | None
) -> None:
    headers = [("X-Device-Id", header.encode("latin-1"))]
    form = {"username": alice.email, "password": PASSWORD}
    body = {"email": alice.email, "password": PASSWORD}
    kind: dict[str, Any] = {"data": form} if path.endswith("oauth") else {"json": body}
    call = api().application.request
    answer = call("POST", f"/api/v1{path}", headers=headers, **kind)
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    [row] = call("GET", "/api/v1/sessions/me", headers=bearer).json()["sessions"]
    assert row["device_id"] == stored


@pytest.mark.parametrize("path", ["/auth/login", "/auth/login/oauth"])
@pytest.mark.parametrize("header", ["x" * 256, "\x7f", "a\x85b", "a\tb"])
def test_a_device_id_out_of_bounds_starts_no_session(
    api: SignIn, alice: User, path: str, header: str
) -> None:
    headers = [("X-Device-Id", header.encode("latin-1"))]
    form = {"username": alice.email, "password": PASSWORD}
    body = {"email": alice.email, "password": PASSWORD}
    kind: dict[str, Any] = {"data": form} if path.endswith("oauth") else {"json": body}
    answer = api().application.request("POST", f"/api/v1{path}", headers=headers, **kind)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "X-Device-Id"
    assert not Session.objects.exists()


def test_a_refresh_keeps_the_name_and_the_id_of_the_device(
    api: SignIn, alice: User
) -> None:
    client = api(alice)
    Session.objects.update(device_name="Kitchen", device_id="d-1")
    body = {"refresh_token": client.tokens.refresh_token}
    headers = {"X-Device-Id": "d-2", "User-Agent": "curl/8.5.0"}
    assert client.post("/auth/refresh", body, headers=headers).status_code == 200
    assert (client.session.device_name, client.session.device_id) == ("Kitchen", "d-1")


@pytest.mark.parametrize("device_id", ["", "phone-1", "phone-2"])
@pytest.mark.parametrize("agent", ["", "curl/8.5.0", "other/1"])
@pytest.mark.parametrize("address", ["", "203.0.113.7", "2001:db8::7", "203.0.113.8"])
def test_a_device_is_seen_again_by_what_the_list_says(
    api: SignIn, alice: User, device_id: str, agent: str, address: str
) -> None:
    """The statement that is written once, and the query that says what it means."""
    begun: list[dict[str, Any]] = [
        {"first_ip_address": "203.0.113.7", "user_agent": "curl/8.5.0"},
        {"first_ip_address": "2001:db8::7", "user_agent": ""},
        {"first_ip_address": None, "ip_address": "203.0.113.8", "user_agent": "other/1"},
        {"first_ip_address": None, "ip_address": None, "user_agent": "curl/8.5.0"},
        {"device_id": "phone-1"},
        {"device_id": "phone-2", "ended_at": timezone.now(), "end_reason": "reuse"},
    ]
    for fields in begun:
        api(alice)
        newest = alice.sessions.latest("pk")
        Session.objects.filter(pk=newest.pk).update(**fields)
    meant = Session.objects.filter(user=alice).resembling(device_id, agent, address)
    found = lock_person(
        user_id=alice.pk,
        epoch=alice.session_epoch,
        device_id=device_id,
        agent=agent,
        address=address,
    )
    assert found is meant.exists()
