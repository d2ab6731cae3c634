from django.urls import path, register_converter

from organizations.api import (
    admin_views,
    events,
    invitations,
    members,
    organizations,
)


class AddressConverter:
    """An id or a slug. Whether it is one is the seat's question, with one answer."""

    regex = "[a-z0-9-]{1,255}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(AddressConverter, "organization")

ONE = "organizations/<organization:organization>"
ADMIN_ONE = "admin/organizations/<uuid:organization_id>"

urlpatterns = [
    path("organizations", organizations.OrganizationListView.as_view()),
    path("organizations/me", organizations.MyOrganizationsView.as_view()),
    path(ONE, organizations.OrganizationDetailView.as_view()),
    path(f"{ONE}/capabilities", organizations.CapabilitiesView.as_view()),
    path(f"{ONE}/events", events.EventListView.as_view()),
    path(f"{ONE}/invitations", invitations.InvitationListView.as_view()),
    path(f"{ONE}/invitations/<uuid:invitation_id>", invitations.InvitationView.as_view()),
    path(
        f"{ONE}/invitations/<uuid:invitation_id>/resend",
        invitations.InvitationResendView.as_view(),
    ),
    path(f"{ONE}/leave", organizations.LeaveView.as_view()),
    path(f"{ONE}/members", members.MemberListView.as_view()),
    path(f"{ONE}/members/<uuid:user_id>", members.MemberView.as_view()),
    path(f"{ONE}/transfer-ownership", organizations.OwnershipView.as_view()),
    path("invitations/me", invitations.MyInvitationsView.as_view()),
    path("invitations/preview", invitations.InvitationPreviewView.as_view()),
    path("invitations/accept", invitations.InvitationAcceptView.as_view()),
    path("invitations/decline", invitations.InvitationDeclineView.as_view()),
    path("admin/organizations", admin_views.OrganizationListView.as_view()),
    path(ADMIN_ONE, admin_views.OrganizationView.as_view()),
    path(f"{ADMIN_ONE}/members", admin_views.MemberListView.as_view()),
    path(f"{ADMIN_ONE}/members/<uuid:user_id>", admin_views.MemberView.as_view()),
]
