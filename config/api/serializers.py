"""Shapes that every app shares."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers

from config.api.problems import FIELD_CODES


class ReadSerializer(serializers.Serializer[Any]):
    """Describes an answer and renders it without building a field per value.

    DRF copies every declared field for each instance of a serializer, a quarter of a
    stock request. Here the declaration serves the OpenAPI document, and a value is the
    attribute of the same name; the JSON encoder knows UUIDs and times. An empty text in
    a field that may be null is null.
    """

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {
            name: _value(instance, name, field)
            for name, field in self._declared_fields.items()
        }

    @classmethod
    def of_rows(cls, rows: QuerySet[Any]) -> list[dict[str, Any]]:
        """Reads them, in one statement."""
        show = cls().to_representation
        return [show(row) for row in rows]


def _value(instance: Any, name: str, field: serializers.Field[Any, Any, Any, Any]) -> Any:
    value = getattr(instance, name)
    if isinstance(field, serializers.BaseSerializer):
        # What is a mapping already has the members that the field declares.
        return value if isinstance(value, dict | None) else field.to_representation(value)
    return None if value == "" and field.allow_null else value


class RowSerializer(ReadSerializer):
    """One whose members are columns, so that a list needs no objects: of 100 people,
    instances were half of the work.

    `columns` names the column of a member that is called otherwise.
    """

    columns: ClassVar[dict[str, str]] = {}

    @classmethod
    def of_rows(cls, rows: QuerySet[Any]) -> list[dict[str, Any]]:
        """Reads them, in one statement; each as `to_representation` would show it."""
        names = cls._declared_fields
        return cls.shown(rows.values_list(*(cls.columns.get(n, n) for n in names)))

    @classmethod
    def shown(cls, rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
        """Of rows whose columns are the members, in their order."""
        fields = cls._declared_fields
        emptied = [name for name, field in fields.items() if field.allow_null]
        shown = [dict(zip(fields, row, strict=True)) for row in rows]
        for row in shown:
            for name in emptied:
                if row[name] == "":
                    row[name] = None
        return shown


class MessageSerializer(serializers.Serializer[Any]):
    success = serializers.BooleanField(default=True)
    message = serializers.CharField()


class FaultSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    field = serializers.CharField(allow_null=True)


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457 with the envelope that clients read."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    success = serializers.BooleanField()
    needs = serializers.CharField(
        required=False, help_text="With `role_too_low`: the role that would suffice."
    )
    organizations = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        help_text="With `last_owner`: `id`, `name` and `slug` of each.",
    )
    errors = FaultSerializer(many=True)  # type: ignore[assignment]  # the contract's name hides `Serializer.errors`, not used here


class RefusedField(serializers.Field[Any, Any, Any, Any]):
    """A name that this call refuses instead of ignoring it."""

    default_error_messages = {"not_allowed": FIELD_CODES["not_allowed"]}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, write_only=True, allow_null=True, **kwargs)

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        if data is not serializers.empty:
            self.fail("not_allowed")
        return super().validate_empty_values(data)
