"""Bodies and queries of the administration of organizations."""

from typing import Any

from rest_framework import serializers

from config.api.fields import IdField
from config.api.pages import MAXIMUM_SEARCH, PageQuery, PaginationSerializer
from organizations.api.serializers import (
    FoundingSerializer,
    OrganizationChangeSerializer,
    OrganizationSerializer,
)
from organizations.roles import Role


class OrganizationQuery(PageQuery):
    is_active = serializers.BooleanField(required=False)
    search = serializers.CharField(
        required=False, allow_blank=True, max_length=MAXIMUM_SEARCH
    )
    sort_by = serializers.ChoiceField(
        choices=("created_at", "name", "slug"), default="created_at"
    )


class OrganizationPageSerializer(serializers.Serializer[Any]):
    data = OrganizationSerializer(many=True)  # type: ignore[assignment]  # the contract's name hides `Serializer.data`, not used here
    pagination = PaginationSerializer()


class NewOrganizationSerializer(FoundingSerializer):
    is_active = serializers.BooleanField(required=False)


class OrganizationEditSerializer(OrganizationChangeSerializer):
    is_active = serializers.BooleanField(required=False)


class NewMemberSerializer(serializers.Serializer[Any]):
    user_id = IdField()
    role = serializers.ChoiceField(choices=Role.choices)

    def validate_role(self, role: str) -> Role:
        return Role(role)
