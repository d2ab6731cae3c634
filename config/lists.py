"""The lists of the console: bounded, and sorted by what has an index."""

from functools import cached_property
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator

from config import counting

# Twenty pages. What lies deeper is there for search and filters.
LISTED = 1000


class BoundedPaginator(Paginator[Any]):
    """Never counts a whole table."""

    @cached_property
    def counted(self) -> int:
        return counting.bounded(self.object_list, LISTED)  # type: ignore[arg-type]  # a room lists a queryset

    @cached_property
    def count(self) -> int:
        return min(self.counted, LISTED)

    @property
    def has_more(self) -> bool:
        return self.counted > LISTED


class RoomList(ChangeList):
    def get_ordering_field(self, field_name: Any) -> Any:
        """Django only hides the link to any other order, and sorts by it all the same."""
        if field_name not in (self.sortable_by or ()):
            return None
        return super().get_ordering_field(field_name)
