"""Bodies and queries of the administration of people."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts.api.fields import AddressField, LocaleField, PhoneField
from accounts.api.serializers import NAME_LENGTH, password_field
from config.api.fields import LineField, without_null
from config.api.pages import PageQuery, PaginationSerializer
from config.api.serializers import RefusedField, RowSerializer

MAXIMUM_BULK = 100


class NewUserSerializer(serializers.Serializer[Any]):
    """As at registration, and what only a superuser may give."""

    email = AddressField()
    password = password_field(
        help_text="12 to 128 characters of any kind, hard to guess."
    )
    first_name = LineField(max_length=NAME_LENGTH)
    last_name = LineField(
        max_length=NAME_LENGTH, required=False, allow_blank=True, allow_null=True
    )
    phone_number = PhoneField(required=False, allow_blank=True, allow_null=True)
    locale = LocaleField(required=False, allow_blank=True, allow_null=True)
    is_superuser = serializers.BooleanField(default=False)
    is_active = serializers.BooleanField(default=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return without_null(attrs)


@extend_schema_serializer(exclude_fields=("password",))
class UserChangeSerializer(serializers.Serializer[Any]):
    """Any of these; a password is nobody's to choose but its owner's."""

    email = AddressField(required=False)
    first_name = LineField(max_length=NAME_LENGTH, required=False)
    last_name = LineField(
        max_length=NAME_LENGTH, required=False, allow_blank=True, allow_null=True
    )
    phone_number = PhoneField(required=False, allow_blank=True, allow_null=True)
    locale = LocaleField(required=False, allow_blank=True, allow_null=True)
    is_active = serializers.BooleanField(required=False)
    is_superuser = serializers.BooleanField(required=False)
    password = RefusedField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return without_null(attrs)


class BulkActionSerializer(serializers.Serializer[Any]):
    action = serializers.ChoiceField(choices=("activate", "deactivate", "delete"))
    user_ids = serializers.ListField(
        child=serializers.UUIDField(), min_length=1, max_length=MAXIMUM_BULK
    )


class BulkOutcomeSerializer(serializers.Serializer[Any]):
    """Ids that were sent twice count once."""

    success = serializers.BooleanField()
    affected_count = serializers.IntegerField()
    failed_count = serializers.IntegerField()
    message = serializers.CharField()
    failed_ids = serializers.ListField(child=serializers.UUIDField())


class AdminSessionSerializer(RowSerializer):
    """A device session, and whose it is."""

    columns = {
        "user_email": "user__email",
        "user_full_name": "full_name",
        "is_active": "active_now",
    }

    id = serializers.UUIDField()
    user_id = serializers.UUIDField()
    user_email = serializers.EmailField()
    user_full_name = serializers.CharField(allow_null=True)
    device_name = serializers.CharField(allow_null=True)
    device_id = serializers.CharField(allow_null=True)
    ip_address = serializers.IPAddressField(allow_null=True)
    location_city = serializers.CharField(allow_null=True)
    location_country = serializers.CharField(allow_null=True)
    last_used_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    is_active = serializers.BooleanField(help_text="Neither ended nor expired.")


class AdminSessionPageSerializer(serializers.Serializer[Any]):
    data = AdminSessionSerializer(many=True)  # type: ignore[assignment]  # the contract's name hides `Serializer.data`, not used here
    pagination = PaginationSerializer()


class AdminSessionQuery(PageQuery):
    is_active = serializers.BooleanField(default=True)
    user_id = serializers.UUIDField(required=False)
    sort_by = serializers.ChoiceField(
        choices=("created_at", "last_used_at", "expires_at"), default="created_at"
    )
    sort_order = serializers.ChoiceField(choices=("asc", "desc"), default="desc")
