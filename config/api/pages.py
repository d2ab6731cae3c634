"""Pages and order of lists: at most one count and one page of rows, in an order without
ties.
"""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request

from config.api.serializers import ReadSerializer

MAXIMUM_PAGE = 1_000_000
MAXIMUM_LIMIT = 100
MAXIMUM_SEARCH = 128


class PageQuery(serializers.Serializer[Any]):
    """The query of a list. Subclasses add filters and `sort_by`, a choice of fields.

    Anything outside the documented range is 422, never clamped in silence.
    """

    page = serializers.IntegerField(default=1, min_value=1, max_value=MAXIMUM_PAGE)
    limit = serializers.IntegerField(default=20, min_value=1, max_value=MAXIMUM_LIMIT)
    sort_order = serializers.ChoiceField(choices=("asc", "desc"), default="asc")

    @classmethod
    def read(cls, request: Request) -> dict[str, Any]:
        """Raises ValidationError."""
        query = cls(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        return dict(query.validated_data)


class PaginationSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    page = serializers.IntegerField()
    page_size = serializers.IntegerField(help_text="The number of items on this page.")
    total_pages = serializers.IntegerField()
    has_next = serializers.BooleanField()
    has_prev = serializers.BooleanField()


def order(rows: QuerySet[Any], *, by: str, direction: str) -> QuerySet[Any]:
    """Ties are broken by id, so that pages never repeat or drop a row."""
    sign = "-" if direction == "desc" else ""
    return rows.order_by(f"{sign}{by}", f"{sign}pk")


def page_of(
    rows: QuerySet[Any],
    query: dict[str, Any],
    serializer: type[ReadSerializer],
) -> dict[str, Any]:
    """The count and the rows of this page, unless the first page has room for more: then
    those are all. So a search that finds one searches once.
    """
    page, limit = query["page"], query["limit"]
    start = (page - 1) * limit
    items = serializer.of_rows(rows[:limit]) if page == 1 else []
    total = len(items) if page == 1 and len(items) < limit else rows.count()
    if 0 < start < total:
        items = serializer.of_rows(rows[start : start + limit])
    return {
        "data": items,
        "pagination": {
            "total": total,
            "page": page,
            "page_size": len(items),
            "total_pages": -(-total // limit),
            "has_next": start + limit < total,
            "has_prev": page > 1,
        },
    }
