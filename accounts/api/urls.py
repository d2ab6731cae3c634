from django.urls import path

from accounts.api import links, views

urlpatterns = [
    path("auth/register", views.RegisterView.as_view()),
    path("auth/login", views.LoginView.as_view()),
    path("auth/login/oauth", views.PasswordFormLoginView.as_view()),
    path("auth/refresh", views.RefreshView.as_view()),
    path("auth/password-reset/request", links.PasswordResetRequestView.as_view()),
    path("auth/password-reset/confirm", links.PasswordResetConfirmView.as_view()),
    path("auth/email/verify", links.EmailVerificationView.as_view()),
    path("auth/email/resend", links.VerificationResendView.as_view()),
    path("auth/email/confirm", links.AddressConfirmationView.as_view()),
    path("auth/email/restore", links.AddressReturnView.as_view()),
    path("auth/disown", links.DisownView.as_view()),
    path("auth/stay", links.StayView.as_view()),
    path("users", views.UserListView.as_view()),
    path("users/me", views.MeView.as_view()),
    path("users/me/email", views.MyAddressView.as_view()),
    path("users/me/export", views.MyExportView.as_view()),
    path("users/me/password", views.MyPasswordView.as_view()),
    path("users/<uuid:user_id>", views.UserView.as_view()),
]
