"""Every address of the service. The edge answers /health and /static before this."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from config import pages
from config.stats import StatsView

urlpatterns: list[URLPattern | URLResolver] = [
    path(
        settings.API_PREFIX.lstrip("/") + "/",
        include(
            [
                path("openapi.json", pages.openapi),
                path("", include("accounts.api.urls")),
                path("", include("sessions_app.api.urls")),
                path("", include("organizations.api.urls")),
                path("", include("audit.api.urls")),
                path("admin/stats", StatsView.as_view()),
            ]
        ),
    ),
    path("", pages.landing),
    path("docs", pages.swagger),
    path("docs/errors", pages.error_list),
    path("redoc", pages.redoc),
]
if settings.ENVIRONMENT == "development":
    # An example client: nobody else's page to sign in on.
    urlpatterns.append(path("live", pages.live))
if settings.ADMIN_PATH:
    console = RedirectView.as_view(url=f"/{settings.ADMIN_PATH}")
    urlpatterns += [
        path(settings.ADMIN_PATH.rstrip("/"), console),
        path(settings.ADMIN_PATH, admin.site.urls),
    ]

handler400 = "config.api.problems.bad_request"
handler403 = "config.api.problems.permission_denied"
handler404 = "config.api.problems.not_found"
handler500 = "config.api.problems.server_error"
