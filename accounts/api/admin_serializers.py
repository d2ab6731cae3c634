"""Bodies and queries of the administration of people."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts.api.fields import AddressField, LocaleField
from accounts.api.serializers import ProfileSerializer, RegisterSerializer
from config.api.fields import IdField
from config.api.pages import PageQuery, PaginationSerializer
from config.api.serializers import RowSerializer

MAXIMUM_BULK = 100


class NewUserSerializer(RegisterSerializer):
    """As at registration, and what only a superuser may give."""

    invitation_token = None  # type: ignore[assignment]  # how DRF drops an inherited field
    locale = LocaleField(required=False, allow_blank=True, allow_null=True)
    is_superuser = serializers.BooleanField(default=False)
    is_active = serializers.BooleanField(default=True)


@extend_schema_serializer(exclude_fields=("password",))
class UserChangeSerializer(ProfileSerializer):
    """Any of these; a password is nobody's to choose but its owner's."""

    preferences = None  # type: ignore[assignment]  # as above
    email = AddressField(required=False)  # type: ignore[assignment]  # allowed here, refused in the parent
    is_active = serializers.BooleanField(required=False)  # type: ignore[assignment]  # as above
    is_superuser = serializers.BooleanField(required=False)  # type: ignore[assignment]  # as above


class BulkActionSerializer(serializers.Serializer[Any]):
    action = serializers.ChoiceField(choices=("activate", "deactivate", "delete"))
    user_ids = serializers.ListField(
        child=IdField(), min_length=1, max_length=MAXIMUM_BULK
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
