"""A browser at the console: through the edge, with its cookies and CSRF token."""

import re
from typing import Any

import httpx
from django.conf import settings

from tests.client import PEER, Api
from tests.factories import PASSWORD

LOGIN = "/admin/login/"
CSRF = "c" * 32
# What the page that asks about a dangerous action sends.
CONFIRMED = {"confirmed": "yes", "confirm_password": PASSWORD}
# What differs between two loads of one page.
VARYING = re.compile(r'value="[0-9A-Za-z]{64}"|[0-9a-f-]{36}')


class Browser:
    def __init__(self, client: Api, *, peer: str = PEER) -> None:
        self.client = client
        self.peer = peer
        self.cookies = {settings.CSRF_COOKIE_NAME: CSRF}

    def call(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.client.call(
            method, path, raw=True, peer=self.peer, headers={"Cookie": cookies}, **kwargs
        )
        self.cookies |= answer.cookies
        return answer

    def get(self, path: str) -> httpx.Response:
        return self.call("GET", path)

    def post(self, path: str, form: dict[str, Any]) -> httpx.Response:
        token = self.cookies[settings.CSRF_COOKIE_NAME]
        return self.call("POST", path, data={"csrfmiddlewaretoken": token, **form})

    def sign_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        return self.post(LOGIN, {"username": email, "password": password})

    @property
    def is_in(self) -> bool:
        return self.get("/admin/").status_code == 200


def told(page: httpx.Response) -> str:
    """The page without what differs each time, and without what was typed."""
    text = VARYING.sub("", page.text)
    return re.sub(r'(name="username"[^>]*?)value="[^"]*"|value="[^"]*"', "", text)
