from django.urls import path

from sessions_app.api import views

urlpatterns = [
    path("auth/logout", views.LogoutView.as_view()),
    path("auth/logout-all", views.LogoutAllView.as_view()),
    path("sessions/me", views.MySessionsView.as_view()),
    path("sessions/me/expired", views.PastSessionsView.as_view()),
    path("sessions/me/others", views.OtherSessionsView.as_view()),
    path("sessions/<uuid:session_id>", views.SessionView.as_view()),
]
