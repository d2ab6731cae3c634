from django.urls import path

from accounts.api import admin_views, links, sign_in, views

urlpatterns = [
    path("auth/register", sign_in.RegisterView.as_view()),
    path("auth/login", sign_in.LoginView.as_view()),
    path("auth/login/oauth", sign_in.PasswordFormLoginView.as_view()),
    path("auth/refresh", sign_in.RefreshView.as_view()),
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
    path("admin/users", admin_views.UserListView.as_view()),
    path("admin/users/bulk-action", admin_views.BulkActionView.as_view()),
    path("admin/users/<uuid:user_id>", admin_views.UserView.as_view()),
    path("admin/users/<uuid:user_id>/activate", admin_views.ActivationView.as_view()),
    path("admin/users/<uuid:user_id>/deactivate", admin_views.DeactivationView.as_view()),
    path("admin/sessions", admin_views.SessionListView.as_view()),
    path("admin/sessions/<uuid:session_id>", admin_views.SessionView.as_view()),
]
