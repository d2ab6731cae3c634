from django.urls import path

from accounts.api import views

urlpatterns = [
    path("auth/register", views.RegisterView.as_view()),
    path("auth/login", views.LoginView.as_view()),
    path("auth/login/oauth", views.PasswordFormLoginView.as_view()),
    path("auth/refresh", views.RefreshView.as_view()),
    path("users", views.UserListView.as_view()),
    path("users/me", views.MeView.as_view()),
    path("users/me/password", views.MyPasswordView.as_view()),
    path("users/<uuid:user_id>", views.UserView.as_view()),
]
