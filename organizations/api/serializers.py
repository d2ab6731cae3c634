from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts.addresses import MAXIMUM_LENGTH, email_key
from config.api.examples import answer, request
from config.api.fields import IdField, LineField, ObjectField, without_null
from config.api.pages import MAXIMUM_SEARCH, PageQuery, PaginationSerializer
from config.api.problems import FIELD_CODES
from config.api.serializers import ReadSerializer, RowSerializer
from organizations import slugs
from organizations.api import examples
from organizations.models import DESCRIPTION_LENGTH, NAME_LENGTH, STATUSES, State
from organizations.roles import Capability, Role

# --- Organizations -----------------------------------------------------------------


@extend_schema_serializer(examples=answer(examples.ORGANIZATION))
class OrganizationSerializer(RowSerializer):
    """A tenant, as its members see it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()
    description = serializers.CharField(allow_null=True)
    is_active = serializers.BooleanField()
    settings = serializers.DictField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField(allow_null=True)
    member_count = serializers.IntegerField(help_text="Active members.")
    my_role = serializers.ChoiceField(
        choices=Role.choices,
        allow_null=True,
        help_text="Null for superusers who are no members.",
    )


class ReferenceSerializer(ReadSerializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()


def slug_field(**kwargs: Any) -> serializers.CharField:
    return serializers.CharField(
        max_length=slugs.MAXIMUM_LENGTH,
        trim_whitespace=False,
        validators=[slugs.validate_slug],
        help_text="a-z, 0-9 and single hyphens, none at the ends; unique.",
        **kwargs,
    )


def description_field() -> serializers.CharField:
    return serializers.CharField(
        max_length=DESCRIPTION_LENGTH, required=False, allow_blank=True, allow_null=True
    )


@extend_schema_serializer(examples=request({"name": "Analytical Engines"}))
class FoundingSerializer(serializers.Serializer[Any]):
    """Without a slug, one is made from the name."""

    name = LineField(max_length=NAME_LENGTH)
    slug = slug_field(required=False, allow_null=True)
    description = description_field()
    settings = ObjectField(kibibytes=64, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return without_null(attrs)


class OrganizationChangeSerializer(serializers.Serializer[Any]):
    """Any of these; other names in the body are ignored."""

    name = LineField(max_length=NAME_LENGTH, required=False)
    slug = slug_field(required=False)
    description = description_field()
    settings = ObjectField(kibibytes=64, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return without_null(attrs)


class MineQuery(serializers.Serializer[Any]):
    is_active = serializers.BooleanField(
        default=True, help_text="Of the membership, not of the organization."
    )


class CapabilitySerializer(serializers.Serializer[Any]):
    name = serializers.ChoiceField(choices=Capability.choices)
    allowed = serializers.BooleanField()
    needs = serializers.ChoiceField(
        choices=Role.choices, help_text="The least role that has it."
    )


class CapabilitiesSerializer(serializers.Serializer[Any]):
    """What the caller may do here, and which role would suffice for the rest."""

    role = serializers.ChoiceField(choices=Role.choices)
    as_superuser = serializers.BooleanField()
    capabilities = CapabilitySerializer(many=True)


# --- Members -----------------------------------------------------------------------


@extend_schema_serializer(examples=answer(examples.MEMBER))
class MemberSerializer(RowSerializer):
    """A person in an organization."""

    columns: ClassVar = {
        name: f"user__{name}" for name in ("email", "first_name", "last_name")
    }

    user_id = serializers.UUIDField()
    email = serializers.EmailField()
    first_name = serializers.CharField()
    last_name = serializers.CharField(allow_null=True)
    role = serializers.ChoiceField(choices=Role.choices)
    is_active = serializers.BooleanField(help_text="The membership, not the account.")
    joined_at = serializers.DateTimeField()


class JoinedSerializer(ReadSerializer):
    """The member that the caller has become, and where."""

    user_id = serializers.UUIDField()
    email = serializers.EmailField()
    first_name = serializers.CharField()
    last_name = serializers.CharField(allow_null=True)
    role = serializers.ChoiceField(choices=Role.choices)
    is_active = serializers.BooleanField()
    joined_at = serializers.DateTimeField()
    organization = ReferenceSerializer()


class MemberPageSerializer(serializers.Serializer[Any]):
    data = MemberSerializer(many=True)  # type: ignore[assignment]  # the contract's name hides `Serializer.data`, not used here
    pagination = PaginationSerializer()


MEMBER_ORDERS = {
    "joined_at": "joined_at",
    "email": "user__email",
    "first_name": "user__first_name",
    "last_name": "user__last_name",
    "role": "role",
}


class MemberQuery(PageQuery):
    is_active = serializers.BooleanField(default=True)
    role = serializers.ChoiceField(choices=Role.choices, required=False)
    search = serializers.CharField(
        required=False, allow_blank=True, max_length=MAXIMUM_SEARCH
    )
    sort_by = serializers.ChoiceField(choices=tuple(MEMBER_ORDERS), default="joined_at")


class MemberChangeSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=Role.choices, required=False)
    is_active = serializers.BooleanField(required=False)

    def validate_role(self, role: str) -> Role:
        return Role(role)


class SuccessorSerializer(serializers.Serializer[Any]):
    user_id = IdField(help_text="A member.")


# --- Invitations -------------------------------------------------------------------


class InviterSerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField()
    email = serializers.EmailField()


@extend_schema_serializer(examples=answer(examples.INVITATION))
class InvitationSerializer(ReadSerializer):
    """Never with its token: that is in the mail and nowhere else."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=Role.choices)
    status = serializers.ChoiceField(choices=STATUSES)
    invited_by = InviterSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class InvitationPageSerializer(serializers.Serializer[Any]):
    data = InvitationSerializer(many=True)  # type: ignore[assignment]  # the contract's name hides `Serializer.data`, not used here
    pagination = PaginationSerializer()


class MyInvitationSerializer(InvitationSerializer):
    organization = ReferenceSerializer()


class PreviewSerializer(ReadSerializer):
    """What whoever has the mail may know before signing in."""

    organization = ReferenceSerializer()
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=Role.choices)
    expires_at = serializers.DateTimeField()


class InvitationQuery(PageQuery):
    status = serializers.ChoiceField(choices=STATUSES, default=State.OPEN)
    sort_by = serializers.ChoiceField(
        choices=("created_at", "expires_at", "email"), default="created_at"
    )


@extend_schema_serializer(
    examples=request({"email": "grace@example.com", "role": "member"})
)
class InvitationRequestSerializer(serializers.Serializer[Any]):
    email = serializers.CharField(max_length=MAXIMUM_LENGTH)
    role = serializers.ChoiceField(choices=Role.choices)

    def validate_email(self, address: str) -> str:
        email_key(address)
        return address

    def validate_role(self, role: str) -> Role:
        return Role(role)


class TokenOfInvitationSerializer(serializers.Serializer[Any]):
    """What stands behind `#token=` in the mailed link."""

    token = serializers.CharField(max_length=256)


class AnswerSerializer(serializers.Serializer[Any]):
    """The token of the mail, or the id of one of the caller's invitations."""

    token = serializers.CharField(max_length=256, required=False)
    id = IdField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "token" in attrs:
            return {"token": attrs["token"]}
        if "id" in attrs:
            return {"invitation_id": attrs["id"]}
        missing = serializers.ErrorDetail(FIELD_CODES["required"], "required")
        raise serializers.ValidationError({"token": missing})
