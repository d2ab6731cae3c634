"""What mails ask for and lead to. A link is opened by GET in the frontend, which spends
nothing; it is spent by the POST that follows.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from accounts import services
from accounts.api.serializers import (
    AddressSerializer,
    EmailVerificationSerializer,
    LinkSerializer,
    PasswordResetSerializer,
)
from accounts.api.sign_in import PublicView
from accounts.errors import AddressTaken, LinkInvalid
from config.api.messages import message
from config.api.serializers import MessageSerializer

Service = Callable[..., None]


class MailView(PublicView):
    """A body, a service, a message: nothing else is said to anyone."""

    shape: ClassVar[type[Serializer[Any]]]
    service: ClassVar[Service]
    answer: ClassVar[str]

    def post(self, request: Request) -> Response:
        body = self.shape(data=request.data)
        body.is_valid(raise_exception=True)
        type(self).service(**body.validated_data)
        return message(self.answer)


def described(operation_id: str, shape: type[Serializer[Any]]) -> Any:
    """Into the OpenAPI document, with the docstring of the view."""
    operation = extend_schema(
        operation_id=operation_id,
        tags=["Authentication"],
        request=shape,
        responses={200: MessageSerializer},
    )
    return extend_schema_view(post=operation)


@described("request_password_reset", AddressSerializer)
class PasswordResetRequestView(MailView):
    """Mail a link to set a new password. Whether an account exists is not told."""

    limits: ClassVar = {"POST": "password_reset"}
    shape = AddressSerializer
    service = staticmethod(services.request_password_reset)
    answer = "If this address belongs to an account, a mail is on its way to it."


@described("confirm_password_reset", PasswordResetSerializer)
class PasswordResetConfirmView(MailView):
    """Set a new password by the mailed link. Every session ends; sign in anew."""

    limits: ClassVar = {"POST": "password_reset_confirm"}
    refusals: ClassVar = {"POST": [LinkInvalid]}
    shape = PasswordResetSerializer
    service = staticmethod(services.reset_password)
    answer = "The password is changed. Sign in with it."


@described("verify_email", EmailVerificationSerializer)
class EmailVerificationView(MailView):
    """Show that an address is one's own: by the link's token, or address and code."""

    limits: ClassVar = {"POST": "verify_email"}
    refusals: ClassVar = {"POST": [LinkInvalid]}
    shape = EmailVerificationSerializer
    service = staticmethod(services.verify_email)
    answer = "The address is verified."


@described("resend_verification", AddressSerializer)
class VerificationResendView(MailView):
    """Mail link and code anew to an address that waits for it. Which one is not told."""

    limits: ClassVar = {"POST": "resend_verification"}
    shape = AddressSerializer
    service = staticmethod(services.resend_verification)
    answer = "If this address is to be verified, a mail is on its way to it."


@described("confirm_email_change", LinkSerializer)
class AddressConfirmationView(MailView):
    """Take the new address, by the link that was mailed there."""

    limits: ClassVar = {"POST": "confirm_email"}
    refusals: ClassVar = {"POST": [LinkInvalid, AddressTaken]}
    shape = LinkSerializer
    service = staticmethod(services.confirm_address)
    answer = "The address is changed."


@described("restore_email", LinkSerializer)
class AddressReturnView(MailView):
    """Undo a change of address, by the link mailed to the old one. Every session and the
    password end; a link to set a new one is mailed there.
    """

    limits: ClassVar = {"POST": "restore_email"}
    refusals: ClassVar = {"POST": [LinkInvalid, AddressTaken]}
    shape = LinkSerializer
    service = staticmethod(services.restore_address)
    answer = "The old address is back. A mail to set a new password follows."


@described("disown", LinkSerializer)
class DisownView(MailView):
    """Say "this was not me", by the link of a notice: every session and the password end,
    and a link to set a new one is mailed.
    """

    limits: ClassVar = {"POST": "disown"}
    refusals: ClassVar = {"POST": [LinkInvalid]}
    shape = LinkSerializer
    service = staticmethod(services.disown)
    answer = "Every session has ended. A mail to set a new password follows."


@described("stay", LinkSerializer)
class StayView(MailView):
    """Keep an account that was to be deleted, by the mailed link."""

    limits: ClassVar = {"POST": "stay"}
    refusals: ClassVar = {"POST": [LinkInvalid]}
    shape = LinkSerializer
    service = staticmethod(services.stay)
    answer = "The account stays. Sign in as before."
