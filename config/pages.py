"""The few pages outside the console: landing, API documents, the list of errors."""

import json
from collections.abc import Callable
from functools import cache, wraps

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.generators import SchemaGenerator

from config import errors
from config.api import problems

Page = Callable[[HttpRequest], HttpResponse]


def read_only(page: Page) -> Page:
    """405 in the one error form; nothing changes here, so no CSRF token is needed."""

    @csrf_exempt
    @wraps(page)
    def guarded(request: HttpRequest) -> HttpResponse:
        if request.method not in {"GET", "HEAD"}:
            return problems.method_not_allowed("GET", "HEAD")
        return page(request)

    return guarded


@read_only
def landing(request: HttpRequest) -> HttpResponse:
    console = f"/{settings.ADMIN_PATH}" if settings.ADMIN_PATH else ""
    return render(
        request,
        "pages/landing.html",
        {"version": settings.VERSION, "console_url": console},
    )


@read_only
def swagger(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/swagger.html")


@read_only
def redoc(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/redoc.html")


@read_only
def live(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/live.html")


@read_only
def error_list(request: HttpRequest) -> HttpResponse:
    """Where the `type` of every problem leads."""
    codes = [
        {
            "code": reason.code,
            "title": problems.title(reason.code),
            "status": reason.status,
            "detail": reason.message,
        }
        for reason in errors.catalogue()
    ]
    fields = sorted(problems.FIELD_CODES.items())
    return render(request, "pages/errors.html", {"codes": codes, "fields": fields})


@read_only
def openapi(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(openapi_document(), content_type="application/json")
    response["Cache-Control"] = "public, max-age=300"
    return response


@cache
def openapi_document() -> str:
    """As committed in docs/openapi.json: the same for everybody, made once a process."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=False) + "\n"
