"""The addresses of ours, so that both sides are asked the same."""

from django.urls import path

from benchmarks.baseline import views

urlpatterns = [
    path("health/live", views.live),
    path("api/v1/auth/login", views.LoginView.as_view()),
    path("api/v1/auth/refresh", views.RefreshView.as_view()),
    path("api/v1/users/me", views.MeView.as_view()),
    path("api/v1/users", views.UserViewSet.as_view({"get": "list"})),
    path("api/v1/sessions/me", views.MySessionsView.as_view()),
]
