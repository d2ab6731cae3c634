"""Registration and sign-in: open to anyone."""

from typing import ClassVar

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import FormParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import services
from accounts.api.serializers import (
    LoginSerializer,
    PasswordFormSerializer,
    RefreshSerializer,
    RegisterSerializer,
    TokenSerializer,
    UserSerializer,
)
from accounts.errors import (
    EmailNotVerified,
    InvalidCredentials,
    InvitationForAnother,
    InvitationInvalid,
    RegistrationRefused,
)
from config import errors
from config.api.messages import message
from config.api.serializers import MessageSerializer
from config.api.views import APIView
from limits.errors import TooManyAttempts
from sessions_app.devices import device_id
from sessions_app.errors import RefreshTokenReused, SessionEnded, TokenInvalid
from sessions_app.services import rotate_session

DEVICE_ID = OpenApiParameter(
    "X-Device-Id",
    str,
    OpenApiParameter.HEADER,
    description="A name that the client gives its device, 255 characters at most.",
)

SIGN_IN_REFUSALS = [InvalidCredentials, EmailNotVerified, TooManyAttempts]


class PublicView(APIView):
    """Open to anyone: a token that happens to come along is not even read."""

    authentication_classes = []
    permission_classes = [AllowAny]


class RegisterView(PublicView):
    limits: ClassVar = {"POST": "register"}
    refusals: ClassVar = {
        "POST": [
            RegistrationRefused,
            InvitationInvalid,
            InvitationForAnother,
            errors.Conflict,
        ]
    }

    @extend_schema(
        operation_id="register",
        tags=["Authentication"],
        request=RegisterSerializer,
        responses={201: UserSerializer, 202: MessageSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make an account. Whether an address is known is not told. Where addresses must
        be verified first (EMAIL_VERIFICATION), the answer is always 202. With the token
        of an invitation the address is verified, and the person a member, at once.
        """
        body = RegisterSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        person = dict(body.validated_data)
        token = person.pop("invitation_token", "")
        # A good one shows that its holder reads the mail of that address; a bad one is
        # refused before the address counts. Nothing is told to anybody else.
        if settings.EMAIL_VERIFICATION == "required" and not token:
            services.request_registration(**person)
            return message("A mail is on its way to this address.", status=202)
        user = services.register_user(invitation_token=token, **person)
        return Response(UserSerializer(user).data, status=201)


class LoginView(PublicView):
    limits: ClassVar = {"POST": "login"}
    refusals: ClassVar = {"POST": SIGN_IN_REFUSALS}

    @extend_schema(
        operation_id="login",
        tags=["Authentication"],
        parameters=[DEVICE_ID],
        request=LoginSerializer,
        responses=TokenSerializer,
    )
    def post(self, request: Request) -> Response:
        """Sign in on this device: a new session and its first pair of tokens."""
        body = LoginSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        tokens = services.sign_in(
            device_id=device_id(request.headers.get("X-Device-Id", "")),
            **body.validated_data,
        )
        return Response(TokenSerializer(tokens).data)


class PasswordFormLoginView(PublicView):
    limits: ClassVar = {"POST": "login_oauth"}
    refusals: ClassVar = {"POST": SIGN_IN_REFUSALS}
    parser_classes = [FormParser]

    @extend_schema(
        operation_id="login_oauth",
        tags=["Authentication"],
        parameters=[DEVICE_ID],
        request={"application/x-www-form-urlencoded": PasswordFormSerializer},
        responses=TokenSerializer,
    )
    def post(self, request: Request) -> Response:
        """Sign in by the OAuth 2 password form, as the Authorize button does."""
        body = PasswordFormSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        tokens = services.sign_in(
            email=body.validated_data["username"],
            password=body.validated_data["password"],
            device_id=device_id(request.headers.get("X-Device-Id", "")),
        )
        return Response(TokenSerializer(tokens).data)


class RefreshView(PublicView):
    limits: ClassVar = {"POST": "refresh"}
    refusals: ClassVar = {"POST": [TokenInvalid, SessionEnded, RefreshTokenReused]}

    @extend_schema(
        operation_id="refresh",
        tags=["Authentication"],
        request=RefreshSerializer,
        responses=TokenSerializer,
    )
    def post(self, request: Request) -> Response:
        """Spend a refresh token for a new pair. Sent twice within ten seconds it gets
        the same pair again; later, it counts as stolen and ends the session.
        """
        body = RefreshSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        tokens = rotate_session(**body.validated_data)
        return Response(TokenSerializer(tokens).data)
