"""Registration and sign-in; the own profile, and everybody's for superusers."""

from typing import Any, ClassVar, cast
from uuid import UUID

from django.conf import settings
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import FormParser
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import services
from accounts.api.permissions import IsSelfOrSuperuser, IsSuperuser
from accounts.api.serializers import (
    AddressChangeSerializer,
    ExportSerializer,
    LeavingSerializer,
    LoginSerializer,
    PasswordChangeSerializer,
    PasswordFormSerializer,
    PersonSerializer,
    ProfileSerializer,
    RefreshSerializer,
    RegisterSerializer,
    TokenSerializer,
    UserListQuery,
    UserPageSerializer,
    UserSerializer,
)
from accounts.errors import (
    EmailNotVerified,
    InvalidCredentials,
    LastOwner,
    LastSuperuser,
    OwnAccount,
    RegistrationRefused,
    WrongPassword,
)
from accounts.models import User
from config import errors
from config.api.messages import message
from config.api.pages import order, page_of
from config.api.serializers import MessageSerializer
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


def caller(request: Request) -> User:
    return cast(User, request.user)


class PublicView(APIView):
    """Open to anyone: a token that happens to come along is not even read."""

    authentication_classes = []
    permission_classes = [AllowAny]


class RegisterView(PublicView):
    limits: ClassVar = {"POST": "register"}
    refusals: ClassVar = {"POST": [RegistrationRefused]}

    @extend_schema(
        operation_id="register",
        tags=["Authentication"],
        request=RegisterSerializer,
        responses={201: UserSerializer, 202: MessageSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make an account. Whether an address is known is not told. Where addresses must
        be verified first (EMAIL_VERIFICATION), the answer is always 202.
        """
        body = RegisterSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        if settings.EMAIL_VERIFICATION == "required":
            services.request_registration(**body.validated_data)
            return message("A mail is on its way to this address.", status=202)
        user = services.register_user(**body.validated_data)
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


class MeView(APIView):
    limits: ClassVar = {"PATCH": "profile", "DELETE": "leave"}
    bodies: ClassVar = {"DELETE"}
    refusals: ClassVar = {
        "DELETE": [WrongPassword, TooManyAttempts, LastOwner, LastSuperuser]
    }

    @extend_schema(operation_id="get_me", tags=["Users"], responses=UserSerializer)
    def get(self, request: Request) -> Response:
        """The caller."""
        return Response(UserSerializer(request.user).data)

    @extend_schema(
        operation_id="update_me",
        tags=["Users"],
        request=ProfileSerializer,
        responses=UserSerializer,
    )
    def patch(self, request: Request) -> Response:
        """Change the own profile."""
        return update(request, caller(request), ProfileSerializer)

    @extend_schema(
        operation_id="leave",
        tags=["Users"],
        request=LeavingSerializer,
        responses={200: MessageSerializer},
    )
    def delete(self, request: Request) -> Response:
        """Leave: every session ends, and after some days nothing personal is left. Until
        then signing in, or the mailed link, brings the account back.
        """
        body = LeavingSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        services.leave(user=caller(request), **body.validated_data)
        days = settings.LEAVING_GRACE.days
        return message(f"The account will be deleted in {days} days.")


class MyExportView(APIView):
    limits: ClassVar = {"GET": "export"}

    @extend_schema(operation_id="export_me", tags=["Users"], responses=ExportSerializer)
    def get(self, request: Request) -> Response:
        """Everything held about the caller, as a file."""
        name = f"export-{caller(request).pk}.json"
        return Response(
            services.export_account(user=caller(request)),
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


class MyAddressView(APIView):
    limits: ClassVar = {"POST": "change_email"}
    refusals: ClassVar = {"POST": [WrongPassword, TooManyAttempts]}

    @extend_schema(
        operation_id="change_my_email",
        tags=["Users"],
        request=AddressChangeSerializer,
        responses={200: MessageSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask for another address: a link is mailed there, and until it is opened the old
        one stays.
        """
        body = AddressChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        services.request_address_change(user=caller(request), **body.validated_data)
        return message("A mail is on its way to the new address.")


class MyPasswordView(APIView):
    limits: ClassVar = {"PATCH": "password"}
    refusals: ClassVar = {"PATCH": [WrongPassword, TooManyAttempts]}

    @extend_schema(
        operation_id="change_my_password",
        tags=["Users"],
        request=PasswordChangeSerializer,
        responses={200: MessageSerializer},
    )
    def patch(self, request: Request) -> Response:
        """Change the password; this session goes on, every other one ends."""
        body = PasswordChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        services.change_password(
            user=caller(request), keep=cast(Any, request.auth).pk, **body.validated_data
        )
        return message("The password is changed.")


class UserListView(APIView):
    permission_classes = [IsAuthenticated, IsSuperuser]
    refusals: ClassVar = {"GET": [errors.PermissionDenied, errors.ValidationFailed]}

    @extend_schema(
        operation_id="list_users",
        tags=["Users"],
        parameters=[UserListQuery],
        responses=UserPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Everybody, for superusers."""
        query = UserListQuery.read(request)
        people = User.objects.existing()
        for name in ("is_active", "is_superuser"):
            if name in query:
                people = people.filter(**{name: query[name]})
        if query.get("search"):
            people = people.matching(query["search"])
        rows = order(people, by=query["sort_by"], direction=query["sort_order"])
        return Response(page_of(rows, query, UserSerializer))


class UserView(APIView):
    permission_classes = [IsAuthenticated, IsSelfOrSuperuser]
    limits: ClassVar = {"PATCH": "update_user", "DELETE": "delete_user"}
    refusals: ClassVar = {
        "GET": [errors.PermissionDenied, errors.NotFound],
        "PATCH": [OwnAccount, LastSuperuser, LastOwner, errors.NotFound],
        "DELETE": [OwnAccount, LastSuperuser, LastOwner, errors.NotFound],
    }

    def person(self, user_id: UUID) -> User:
        if user_id == self.request.user.pk:
            return caller(self.request)
        return get_object_or_404(User.objects.existing(), pk=user_id)

    @extend_schema(operation_id="get_user", tags=["Users"], responses=UserSerializer)
    def get(self, request: Request, user_id: UUID) -> Response:
        """A person: oneself, or anybody for superusers."""
        return Response(UserSerializer(self.person(user_id)).data)

    @extend_schema(
        operation_id="update_user",
        tags=["Users"],
        request=PersonSerializer,
        responses=UserSerializer,
    )
    def patch(self, request: Request, user_id: UUID) -> Response:
        """Change a profile. `is_active` is for superusers, and for others' accounts."""
        shape = PersonSerializer if caller(request).is_superuser else ProfileSerializer
        return update(request, self.person(user_id), shape)

    @extend_schema(
        operation_id="delete_user", tags=["Users"], responses={200: MessageSerializer}
    )
    def delete(self, request: Request, user_id: UUID) -> Response:
        """Delete a person, softly: out at once, restorable by an operator."""
        if not caller(request).is_superuser:
            raise errors.PermissionDenied
        services.delete_user(user_id=user_id, by=caller(request))
        return message("The user is deleted.")


def update(request: Request, user: User, shape: type[ProfileSerializer]) -> Response:
    body = shape(data=request.data)
    body.is_valid(raise_exception=True)
    services.update_profile(user=user, by=caller(request), **body.validated_data)
    return Response(UserSerializer(user).data)
