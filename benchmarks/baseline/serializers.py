from rest_framework import serializers

from benchmarks.baseline.models import DeviceSession, User


class UserSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = [
            "id",
            "email",
            "first_name",
            "last_name",
            "phone_number",
            "is_active",
            "is_superuser",
            "locale",
            "email_verified",
            "preferences",
            "date_joined",
            "updated_at",
        ]


class DeviceSessionSerializer(serializers.ModelSerializer[DeviceSession]):
    class Meta:
        model = DeviceSession
        fields = [
            "id",
            "device_name",
            "device_id",
            "ip_address",
            "location_city",
            "location_country",
            "last_used_at",
            "created_at",
            "expires_at",
        ]
