from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts.api import examples
from accounts.api.fields import AddressField, LocaleField, PhoneField
from config.api.examples import answer, request
from config.api.fields import LineField, ObjectField, without_null
from config.api.pages import MAXIMUM_SEARCH, PageQuery, PaginationSerializer
from config.api.problems import FIELD_CODES
from config.api.serializers import ReadSerializer, RefusedField, RowSerializer

NAME_LENGTH = 150
REQUIRED = FIELD_CODES["required"]


def password_field(**kwargs: Any) -> serializers.CharField:
    """Exactly as received: no trimming, and nothing longer reaches the hash."""
    return serializers.CharField(
        trim_whitespace=False,
        max_length=settings.PASSWORD_MAXIMUM_LENGTH,
        write_only=True,
        **kwargs,
    )


@extend_schema_serializer(examples=answer(examples.USER))
class UserSerializer(RowSerializer):
    """A person, as they see themselves and superusers see them."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    first_name = serializers.CharField()
    last_name = serializers.CharField(allow_null=True)
    phone_number = serializers.CharField(allow_null=True)
    is_active = serializers.BooleanField()
    is_superuser = serializers.BooleanField()
    locale = serializers.CharField(allow_null=True)
    email_verified = serializers.BooleanField()
    preferences = serializers.DictField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(examples=answer(examples.TOKEN))
class TokenSerializer(ReadSerializer):
    """A pair of tokens and whose they are."""

    access_token = serializers.CharField()
    refresh_token = serializers.CharField()
    token_type = serializers.CharField(default="bearer")
    expires_in = serializers.IntegerField(help_text="Seconds of the access token.")
    user = UserSerializer()


class UserPageSerializer(serializers.Serializer[Any]):
    data = UserSerializer(many=True)  # type: ignore[assignment]  # the contract's name hides `Serializer.data`, not used here
    pagination = PaginationSerializer()


@extend_schema_serializer(examples=request(examples.REGISTRATION))
class RegisterSerializer(serializers.Serializer[Any]):
    """Other names in the body, rights among them, are ignored."""

    email = AddressField()
    password = password_field(
        help_text="12 to 128 characters of any kind, hard to guess."
    )
    first_name = LineField(max_length=NAME_LENGTH)
    last_name = LineField(
        max_length=NAME_LENGTH, required=False, allow_blank=True, allow_null=True
    )
    phone_number = PhoneField(required=False, allow_blank=True, allow_null=True)
    invitation_token = serializers.CharField(
        max_length=256,
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="Of the mail that invited this address to an organization.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return without_null(attrs)


@extend_schema_serializer(
    examples=request({"email": "ada@example.com", "password": examples.PASSWORD})
)
class LoginSerializer(serializers.Serializer[Any]):
    email = AddressField()
    password = password_field()


class PasswordFormSerializer(serializers.Serializer[Any]):
    """RFC 6749 §4.3.2, for the Authorize button of the API documents."""

    username = AddressField()
    password = password_field()


class RefreshSerializer(serializers.Serializer[Any]):
    refresh_token = serializers.CharField(max_length=4096)


class PasswordChangeSerializer(serializers.Serializer[Any]):
    current_password = password_field()
    new_password = password_field(
        help_text="12 to 128 characters of any kind, hard to guess."
    )


class AddressSerializer(serializers.Serializer[Any]):
    email = AddressField()


class LinkSerializer(serializers.Serializer[Any]):
    """What stands behind `#token=` in a mailed link."""

    token = serializers.CharField(max_length=256)


class PasswordResetSerializer(LinkSerializer):
    new_password = password_field(
        help_text="12 to 128 characters of any kind, hard to guess."
    )


class EmailVerificationSerializer(serializers.Serializer[Any]):
    """The token of the link, or the address and the six digits."""

    token = serializers.CharField(max_length=256, required=False)
    email = AddressField(required=False)
    code = serializers.CharField(max_length=16, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "token" in attrs:
            return {"token": attrs["token"]}
        missing = [name for name in ("email", "code") if name not in attrs]
        if len(missing) == 2:  # noqa: PLR2004  # neither way was chosen
            missing = ["token"]
        if missing:
            raise serializers.ValidationError(
                {name: serializers.ErrorDetail(REQUIRED, "required") for name in missing}
            )
        # People type codes as they see them, in groups.
        return attrs | {"code": attrs["code"].replace(" ", "")}


class AddressChangeSerializer(serializers.Serializer[Any]):
    new_email = AddressField()
    current_password = password_field()


class LeavingSerializer(serializers.Serializer[Any]):
    current_password = password_field()


class ExportSerializer(ReadSerializer):
    """One member for each part of the service; apps may add theirs."""

    account = serializers.DictField()
    sessions = serializers.ListField(child=serializers.DictField())
    events = serializers.ListField(child=serializers.DictField())
    mails = serializers.ListField(child=serializers.DictField())
    memberships = serializers.ListField(child=serializers.DictField())
    invitations = serializers.ListField(child=serializers.DictField())


REFUSED = ("is_superuser", "is_active", "email", "password")


@extend_schema_serializer(exclude_fields=REFUSED)
class ProfileSerializer(serializers.Serializer[Any]):
    first_name = LineField(max_length=NAME_LENGTH, required=False)
    last_name = LineField(
        max_length=NAME_LENGTH, required=False, allow_blank=True, allow_null=True
    )
    phone_number = PhoneField(required=False, allow_blank=True, allow_null=True)
    preferences = ObjectField(kibibytes=256, required=False)
    locale = LocaleField(required=False, allow_blank=True, allow_null=True)
    is_superuser = RefusedField()
    is_active = RefusedField()
    email = RefusedField()
    password = RefusedField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return without_null(attrs)


@extend_schema_serializer(
    exclude_fields=tuple(name for name in REFUSED if name != "is_active")
)
class PersonSerializer(ProfileSerializer):
    """What a superuser may set of a person."""

    is_active = serializers.BooleanField(required=False)  # type: ignore[assignment]  # allowed here, refused in the parent


class UserListQuery(PageQuery):
    is_active = serializers.BooleanField(required=False)
    is_superuser = serializers.BooleanField(required=False)
    search = serializers.CharField(
        required=False, allow_blank=True, max_length=MAXIMUM_SEARCH
    )
    sort_by = serializers.ChoiceField(
        choices=("created_at", "updated_at", "email", "first_name", "last_name"),
        default="created_at",
    )
