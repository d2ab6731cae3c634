"""Actions of the console that are asked about first, on a page of their own.

What is dangerous needs the password again, so that an open console at an empty desk does
no harm (OWASP ASVS 5.0, 7.5.3). Who knows the password is the site's to say: see
`Console.confirm`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse

from config import counting
from config.errors import DomainError, TooManyChosen

Act = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponseBase | None]

# At once: each is a row that is locked, an event and perhaps a mail.
MAXIMUM = 500
# Of those concerned, so many are named.
NAMED = 10
PASSWORD_FIELD = "confirm_password"  # noqa: S105  # what the field is called
# Names the row on whose page an action was asked for.
PAGE_FIELD = "on_page_of"


@dataclass(frozen=True)
class Question:
    description: str
    warning: str
    bounded: bool


def dangerous(
    description: str, warning: str, *, right: str = "superuser", bounded: bool = True
) -> Callable[[Act], Act]:
    """`right` is that of `Room.has_…_permission`; an action that is not `bounded` takes
    any number.
    """

    question = Question(description, warning, bounded)

    def decorate(act: Act) -> Act:
        @wraps(act)
        def asked(
            room: Any, request: HttpRequest, rows: QuerySet[Any]
        ) -> HttpResponseBase | None:
            if bounded and counting.bounded(rows, MAXIMUM) > MAXIMUM:
                raise TooManyChosen
            if "confirmed" not in request.POST:
                return _page(room, request, rows, question)
            try:
                room.admin_site.require_confirmation(request)
            except DomainError as refusal:
                return _page(room, request, rows, question, refusal.message)
            return act(room, request, rows)

        return admin.action(asked, description=description, permissions=[right])

    return decorate


def _page(
    room: Any,
    request: HttpRequest,
    rows: QuerySet[Any],
    question: Question,
    refusal: str = "",
) -> TemplateResponse:
    """What is confirmed is what was shown: who comes to match a search meanwhile is not
    among the chosen.
    """
    chosen: list[Any] = request.POST.getlist(ACTION_CHECKBOX_NAME)
    if question.bounded:
        chosen = list(rows.values_list("pk", flat=True))
    context = {
        **room.admin_site.each_context(request),
        "title": question.description,
        "warning": question.warning,
        "refusal": refusal,
        "number": counting.number_of(rows),
        "names": [room.called(row) for row in rows[:NAMED]],
        "chosen": chosen,
        "across": "0" if question.bounded else request.POST.get("select_across", "0"),
        "action": request.POST["action"],
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "password_field": PASSWORD_FIELD,
        "page_field": PAGE_FIELD,
        "asked_on": request.POST.get(PAGE_FIELD, ""),
        "way_back": room.page_asked_on(request),
        "needs_password": not room.admin_site.is_confirmed(request),
        "opts": room.opts,
    }
    return TemplateResponse(request, "admin/confirm.html", context)
