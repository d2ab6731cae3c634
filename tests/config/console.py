"""The console's sign-in page, used as a browser would."""

import re

import httpx

from tests.client import Api
from tests.factories import PASSWORD


def opened(client: Api, **headers: str) -> tuple[dict[str, str], str]:
    """The cookies and the form's token of the console's sign-in page."""
    page = client.get("/admin/login/", raw=True, headers=headers)
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert found
    return dict(page.cookies), found[1]


def cookie_header(cookies: dict[str, str]) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


def enter(
    client: Api,
    email: str,
    password: str = PASSWORD,
    *,
    target: str = "/admin/",
    **headers: str,
) -> httpx.Response:
    """Signs in to the console, as its page would."""
    cookies, token = opened(client, **headers)
    form = {"username": email, "password": password, "csrfmiddlewaretoken": token}
    form["next"] = target
    sent = cookie_header(cookies) | headers
    return client.call("POST", "/admin/login/", raw=True, data=form, headers=sent)
