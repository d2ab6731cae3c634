"""The admin console: its site, and the middleware that runs only under its path."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any, cast

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth import logout
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse

from accounts.console_events import ENTERED_AT
from accounts.models import User
from accounts.services import confirm_password
from config import charts, panels, stats
from config.admin import Room
from config.api.problems import in_console
from config.confirming import PASSWORD_FIELD
from config.errors import ConfirmationNeeded, PermissionDenied
from config.postgresql.statements import unprepared
from sessions_app.denials import remember

SESSION_KEY = re.compile(r"\A[a-z0-9]{32}\Z")
CONFIRMED_AT = "confirmed_at"
CONFIRMATION_LIFETIME = timedelta(minutes=10)
# However busy (OWASP ASVS 5.0, 7.3.2); idle ones end sooner: SESSION_COOKIE_AGE.
CONSOLE_LIFETIME = timedelta(hours=12)
LEFT_OUT = {"view_on_site", "autocomplete"}


class Console(AdminSite):
    site_header = "Backend API"
    site_title = "Backend API"
    index_title = "Console"
    site_url = "/"

    def register(
        self, model_or_iterable: Any, admin_class: Any = None, **options: Any
    ) -> None:
        """Rooms of ours only: Django's own, such as that of groups, call no service and
        record nothing.
        """
        if admin_class is not None and issubclass(admin_class, Room):
            super().register(model_or_iterable, admin_class, **options)

    def get_urls(self) -> list[Any]:
        """Without the way to a row's page on the site, since no row of ours has one and
        staff would be told which ids exist; and without completions, which no form asks.
        """
        return [
            url for url in super().get_urls() if getattr(url, "name", "") not in LEFT_OUT
        ]

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        shown = charts.dashboard(stats.dashboard())
        return super().index(request, {**(extra_context or {}), **shown})

    def has_permission(self, request: HttpRequest) -> bool:
        """A session that is refused is over: it must not wait for its right to return."""
        entered = float(request.session.get(ENTERED_AT, 0))
        young = time.time() - entered < CONSOLE_LIFETIME.total_seconds()
        if young and super().has_permission(request):
            return True
        if request.user.is_authenticated:
            logout(request)
        return False

    def panels_of(self, request: HttpRequest, person: User) -> list[panels.Panel]:
        return panels.panels_of(person, cast(User, request.user))

    def page_of(self, kind: str, pk: Any) -> str:
        """Where a row is looked at, by the name of its model; empty: nowhere."""
        for model in self._registry:
            if model._meta.model_name == kind:
                return reverse(f"admin:{model._meta.app_label}_{kind}_change", args=[pk])
        return ""

    def is_confirmed(self, request: HttpRequest) -> bool:
        """Whether the password was given a moment ago; signing in does not count."""
        age = time.time() - float(request.session.get(CONFIRMED_AT, 0))
        return 0 <= age < CONFIRMATION_LIFETIME.total_seconds()

    def require_confirmation(self, request: HttpRequest) -> None:
        """By the password in the form, unless it was given a moment ago. Outside of a
        transaction: what was guessed stays counted.

        Raises ConfirmationNeeded, WrongPassword, TooManyAttempts.
        """
        if self.is_confirmed(request):
            return
        password = request.POST.get(PASSWORD_FIELD, "")
        if not password:
            raise ConfirmationNeeded
        confirm_password(user=cast(User, request.user), password=password)
        # Else whoever had copied the cookie would have confirmed as well (7.2.4).
        request.session.cycle_key()
        request.session[CONFIRMED_AT] = time.time()

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Not here: Django's page counts no guesses, ends no session, records nothing."""
        raise Http404


class OnlyInConsole:
    """Skips a middleware elsewhere: calls know no cookie, and pay for none.

    So a console cookie says nothing to the API, by construction.
    """

    get_response: Any

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if in_console(request):
            return super().__call__(request)  # type: ignore[misc,no-any-return]  # the middleware mixed in has it
        return self.get_response(request)  # type: ignore[no-any-return]  # Django types the chain as Any


class ConsoleSessions(OnlyInConsole, SessionMiddleware):
    """Looks up only what could be a key: a quoted cookie can hold a NUL, and PostgreSQL
    refuses that as a fault of ours.
    """

    def process_request(self, request: HttpRequest) -> None:
        name = settings.SESSION_COOKIE_NAME
        if not SESSION_KEY.match(request.COOKIES.get(name, "")):
            request.COOKIES.pop(name, None)
        super().process_request(request)


class ConsoleAuthentication(OnlyInConsole, AuthenticationMiddleware):
    pass


class ConsoleMessages(OnlyInConsole, MessageMiddleware):
    pass


class Unprepared:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with unprepared():
            return self.get_response(request)


class ConsoleStatements(OnlyInConsole, Unprepared):
    """Here people look for what is rare: two failures among a million events."""


class Remembering:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code == HTTPStatus.FORBIDDEN:
            remember(request, code=PermissionDenied.code)
        return response


class ConsoleDenials(OnlyInConsole, Remembering):
    """Being told no is an event here as it is in the API."""
