"""The own account, and everybody's for superusers."""

from typing import Any, ClassVar, cast
from uuid import UUID

from django.conf import settings
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import services
from accounts.api.permissions import IsSelfOrSuperuser
from accounts.api.serializers import (
    AddressChangeSerializer,
    ExportSerializer,
    LeavingSerializer,
    PasswordChangeSerializer,
    PersonSerializer,
    ProfileSerializer,
    UserListQuery,
    UserPageSerializer,
    UserSerializer,
)
from accounts.errors import LastOwner, LastSuperuser, OwnAccount, WrongPassword
from accounts.models import User
from config import errors
from config.api.messages import message
from config.api.pages import order, page_of
from config.api.permissions import SUPERUSERS_ONLY
from config.api.serializers import MessageSerializer
from config.api.views import APIView
from limits.errors import TooManyAttempts


def caller(request: Request) -> User:
    return cast(User, request.user)


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
    permission_classes = SUPERUSERS_ONLY
    refusals: ClassVar = {"GET": [errors.PermissionDenied, errors.ValidationFailed]}

    @extend_schema(
        operation_id="list_users",
        tags=["Users"],
        parameters=[UserListQuery],
        responses=UserPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Everybody, for superusers."""
        return Response(page_of_people(request))


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


def page_of_people(request: Request) -> dict[str, Any]:
    query = UserListQuery.read(request)
    people = User.objects.existing()
    for name in ("is_active", "is_superuser"):
        if name in query:
            people = people.filter(**{name: query[name]})
    if query.get("search"):
        people = people.matching(query["search"])
    rows = order(people, by=query["sort_by"], direction=query["sort_order"])
    return page_of(rows, query, UserSerializer)


def update(request: Request, user: User, shape: type[ProfileSerializer]) -> Response:
    body = shape(data=request.data)
    body.is_valid(raise_exception=True)
    services.update_profile(user=user, by=caller(request), **body.validated_data)
    return Response(UserSerializer(user).data)
