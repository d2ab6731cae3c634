from typing import Any

from rest_framework import serializers

from config.api.fields import LineField
from config.api.serializers import RowSerializer


class SessionSerializer(RowSerializer):
    """A device that is signed in."""

    id = serializers.UUIDField()
    device_name = serializers.CharField(allow_null=True)
    device_id = serializers.CharField(allow_null=True)
    ip_address = serializers.IPAddressField(allow_null=True)
    location_city = serializers.CharField(allow_null=True)
    location_country = serializers.CharField(allow_null=True)
    last_used_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(
        help_text="The earlier of idle and absolute end; only rotation moves it."
    )
    is_current = serializers.BooleanField()


class SessionListSerializer(serializers.Serializer[Any]):
    sessions = SessionSerializer(many=True)
    total = serializers.IntegerField()


class RenameSerializer(serializers.Serializer[Any]):
    device_name = LineField(max_length=255)


class LogoutSerializer(serializers.Serializer[Any]):
    refresh_token = serializers.CharField(
        required=False,
        allow_blank=True,
        allow_null=True,
        max_length=4096,
        help_text="Without it, the session of the access token ends.",
    )
