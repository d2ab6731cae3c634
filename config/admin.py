"""What every room of the console has in common."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth import get_user_model
from django.core.exceptions import (
    ObjectDoesNotExist,
    PermissionDenied,
    SuspiciousOperation,
    ValidationError,
)
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from config.api.pages import MAXIMUM_SEARCH
from config.confirming import PAGE_FIELD, PASSWORD_FIELD
from config.errors import ConfirmationNeeded, DomainError
from config.lists import BoundedPaginator, RoomList

EVENTS = "admin:audit_event_changelist"


class KeepsUntouched:
    """A form says what was in it, and what nobody touched is not saved: one that was
    opened before somebody lost a right does not give it back.
    """

    def formfield_for_dbfield(self, *args: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(*args, **kwargs)  # type: ignore[misc]  # of the admin class that is mixed in
        if field is not None:
            field.show_hidden_initial = True
        return field


class Room(KeepsUntouched, admin.ModelAdmin[Any]):
    """Seen by superusers, and by other staff where it is open to support; changed by
    actions that call services, and by nothing else.

    Django lets a query string filter by any column of the model, so a list could be
    asked for a password hash letter by letter; here only declared filters are heard.
    """

    open_to_support = False
    # What a superuser must know the password for, on the page of a row; nothing: no form
    # there is dangerous.
    confirms = ""
    list_per_page = 50
    # At a million rows counting, and sorting by what no index has, takes seconds.
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by: ClassVar[list[str] | tuple[str, ...] | None] = ()
    # That there is a box to search with; `found` decides what it finds.
    search_fields = ("pk",)
    # For a row, and who looks at it: whether an action would do anything. One that is not
    # named always does.
    makes_sense: ClassVar[Mapping[str, Callable[[Any, Any], bool]]] = {}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RoomList]:
        return RoomList

    def lookup_allowed(
        self, lookup: str, value: str, request: HttpRequest | None = None
    ) -> bool:
        name, _, how = lookup.partition("__")
        filters = self.get_list_filter(request) if request else self.list_filter
        declared = {_parameter(entry) for entry in filters}
        # What Django's own filters ask: a regular expression would be anybody's program.
        return name in declared and how in {"", "exact", "isnull", "isempty"}

    def changeform_view(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        try:
            # Before the transaction of the form, so that a guess stays counted.
            if request.POST.get(PASSWORD_FIELD) and self._asks_password(request):
                self.site.require_confirmation(request)
            return super().changeform_view(request, *args, **kwargs)
        except DomainError as refusal:
            return self.told(request, refusal)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context["original"]
        context |= {
            "password_field": PASSWORD_FIELD,
            "asks_password": self._asks_password(request),
            "why_password": self.confirms,
            "page_field": PAGE_FIELD,
            "offered": self.offered(request, row) if row else (),
            "subtitle": self.called(row) if row else None,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def offered(self, request: HttpRequest, row: models.Model) -> list[tuple[str, str]]:
        """The actions on the page of a row: name and label."""
        return [
            (name, label)
            for name, label in self.get_action_choices(request, default_choices=[])
            if name not in self.makes_sense or self.makes_sense[name](row, request.user)
        ]

    def called(self, row: Any) -> str:
        """How a row is named on its page, and where somebody is asked about it."""
        return str(row)

    def response_action(
        self, request: HttpRequest, queryset: models.QuerySet[Any], *args: Any
    ) -> HttpResponse | None:
        """Back to the page of the row that it was asked on, if that is still there."""
        response = super().response_action(request, queryset, *args)
        page = self.page_asked_on(request)
        if page and isinstance(response, HttpResponseRedirect):
            return HttpResponseRedirect(page)
        return response

    def page_asked_on(self, request: HttpRequest) -> str:
        """Empty where an action was asked for in the list."""
        row = self.get_object(request, request.POST.get(PAGE_FIELD, ""))
        return self.site.page_of(self.opts.model_name, row.pk) if row else ""

    def history_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """What happened to a row, by whomever, is in the log of events."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(reverse(EVENTS, query={"q": object_id}))

    def require_confirmed(self, request: HttpRequest) -> None:
        """Where a form turns out to be dangerous. Raises ConfirmationNeeded."""
        if not self.site.is_confirmed(request):
            raise ConfirmationNeeded

    @property
    def site(self) -> Any:
        """The `Console`, which knows every app and so is known by none."""
        return self.admin_site

    def _asks_password(self, request: HttpRequest) -> bool:
        if not (self.confirms and self.has_superuser_permission(request)):
            return False
        return not self.site.is_confirmed(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if any("\0" in value for values in request.GET.lists() for value in values[1]):
            raise SuspiciousOperation
        self._check_chosen(request)
        self._check_action(request)
        try:
            return super().changelist_view(request, extra_context)
        except DomainError as refusal:
            return self.told(request, refusal)

    def _check_chosen(self, request: HttpRequest) -> None:
        """Django asks the database for what is no id, and that is its own fault then."""
        for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME):
            try:
                self.opts.pk.to_python(chosen)
            except ValidationError as exc:
                raise SuspiciousOperation from exc

    def _check_action(self, request: HttpRequest) -> None:
        """Django says that no action was chosen, where one was that is not offered."""
        action = request.POST.get("action", "")
        if action and action not in self.get_actions(request):
            raise PermissionDenied

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        """As long as a search of the API may be: each word becomes a part of the SQL."""
        text = search_term[:MAXIMUM_SEARCH].strip()
        return (self.found(queryset, text) if text else queryset), False

    def found(self, rows: models.QuerySet[Any], text: str) -> models.QuerySet[Any]:
        """What a search means here: always something that an index answers."""
        raise NotImplementedError

    def told(self, request: HttpRequest, refusal: DomainError) -> HttpResponse:
        """A refusal stands on the page; of the form nothing was kept."""
        self.message_user(request, refusal.message, messages.ERROR)
        return HttpResponseRedirect(request.path)

    def has_superuser_permission(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_superuser", False))

    def has_support_permission(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_staff", False))

    def has_view_permission(
        self, request: HttpRequest, obj: models.Model | None = None
    ) -> bool:
        if self.has_superuser_permission(request):
            return True
        return self.open_to_support and self.has_support_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def person_at(text: str) -> Any:
    """Whose mail address it is; None where it is nobody's."""
    if "@" not in text:
        return None
    try:
        return get_user_model()._default_manager.get_by_natural_key(text)
    except ObjectDoesNotExist:
        return None


def _parameter(entry: Any) -> str:
    """What a filter is called in the query string."""
    if isinstance(entry, (tuple, list)):
        return str(entry[0])
    return str(getattr(entry, "parameter_name", entry))
