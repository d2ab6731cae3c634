from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from accounts import services
from accounts.models import User, UserQuerySet
from audit import services as audit
from config.admin import Room, person_at
from config.confirming import dangerous
from config.errors import DomainError
from config.identifiers import read_id
from config.sheets import as_csv

# An index of trigrams finds no shorter ones.
SHORTEST_WORD = 3
RIGHTS = ("is_staff", "is_superuser")
WITH_PASSWORD = {*RIGHTS, "email_verified"}
TIMES = (
    "created_at",
    "updated_at",
    "leaving_since",
    "deleted_at",
    "anonymized_at",
    "last_login",
)
PROFILE = ("first_name", "last_name", "phone_number", "locale")
# Of a file: no hash, and nothing that signs in.
COLUMNS = ("id", "email", "email_verified", *PROFILE, "is_active", *RIGHTS, *TIMES)


@admin.register(User)
class UserAdmin(Room):
    """People register themselves and leave by the actions; hashes are not shown.

    Support sees no right of anybody, and changes the profiles of those who have none.
    """

    open_to_support = True
    confirms = "To change rights, or whether an address is verified"
    list_display = ("email", "full_name", "is_active", *RIGHTS, "created_at")
    list_filter = ("is_active", *RIGHTS)
    search_help_text = "Parts of three letters or more of address and name, or a whole id"
    sortable_by = ("created_at",)
    ordering = ("-created_at", "-id")
    readonly_fields = ("id", "email", "is_active", *TIMES)
    fieldsets = (
        (None, {"fields": ("id", "email", "email_verified", "is_active")}),
        ("Profile", {"fields": PROFILE}),
        ("Rights", {"fields": RIGHTS}),
        ("Times", {"fields": TIMES}),
    )
    actions = (
        "activate",
        "deactivate",
        "end_sessions",
        "mail_reset_links",
        "delete_softly",
        "restore",
        "export",
    )

    makes_sense: ClassVar = {
        "activate": lambda person, by: person.deleted_at is None and not person.is_active,
        "deactivate": lambda person, by: person.is_active and person != by,
        "end_sessions": lambda person, by: person.is_active and by.may_tend(person),
        "mail_reset_links": lambda person, by: person.is_active and by.may_tend(person),
        "delete_softly": lambda person, by: person.deleted_at is None and person != by,
        "restore": lambda person, by: person.deleted_at and not person.anonymized_at,
    }

    # --- Actions -----------------------------------------------------------------------

    @dangerous("Activate", "They can sign in again.")
    def activate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        ids = _ids(queryset)
        refused = services.activate_users(user_ids=ids, by=acting(request))
        self._report(request, len(ids), refused)

    @dangerous("Deactivate", "They are out at once, with every session, everywhere.")
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        ids = _ids(queryset)
        refused = services.deactivate_users(user_ids=ids, by=acting(request))
        self._report(request, len(ids), refused)

    @dangerous(
        "Delete (softly)",
        "They are out at once, and in no list of the API. It can be taken back until"
        " their accounts are anonymised.",
    )
    def delete_softly(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        ids = _ids(queryset)
        by = acting(request)
        refused = services.deactivate_users(user_ids=ids, by=by, delete=True)
        self._report(request, len(ids), refused)

    @dangerous(
        "Restore",
        "Those who were deleted can sign in again, with every right and membership as"
        " they were.",
    )
    def restore(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        ids = _ids(queryset)
        refused = services.restore_users(user_ids=ids, by=acting(request))
        self._report(request, len(ids), refused)

    @dangerous(
        "End all sessions", "They have to sign in again, everywhere.", right="support"
    )
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        ids, by = _ids(queryset), acting(request)
        number, refused = services.end_sessions_of(user_ids=ids, by=by)
        self.message_user(request, f"{number} sessions ended.", messages.SUCCESS)
        self._report(request, len(refused), refused)

    @dangerous(
        "Mail a link for a new password",
        "They get the mail of a forgotten password. Nobody else sees or chooses theirs.",
        right="support",
    )
    def mail_reset_links(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        ids = _ids(queryset)
        refused = services.mail_reset_links(user_ids=ids, by=acting(request))
        self._report(request, len(ids), refused)

    @dangerous(
        "Export as CSV", "A file with what is held of them in this room.", bounded=False
    )
    def export(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponseBase:
        across = request.POST.get("select_across") == "1"
        audit.record("users.exported", actor=acting(request), everybody_found=across)
        disposition = 'attachment; filename="people.csv"'
        return StreamingHttpResponse(
            as_csv(queryset, _described, COLUMNS),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": disposition},
        )

    def _report(
        self, request: HttpRequest, chosen: int, refused: dict[Any, DomainError]
    ) -> None:
        done = chosen - len(refused)
        if done:
            self.message_user(request, f"{done} people changed.", messages.SUCCESS)
        for reason in sorted({refusal.message for refusal in refused.values()}):
            self.message_user(request, reason, messages.ERROR)

    # --- The page of a person ----------------------------------------------------------

    @admin.display(description="name")
    def full_name(self, person: User) -> str:
        return person.full_name

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        person = context["original"]
        context["panels"] = self.site.panels_of(request, person) if person else ()
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(
        self,
        request: HttpRequest,
        obj: User,
        form: Any,
        change: bool,  # noqa: FBT001  # Django calls it so
    ) -> None:
        by = acting(request)
        changed = {name: getattr(obj, name) for name in form.changed_data}
        if changed.keys() & WITH_PASSWORD:
            self.require_confirmed(request)
        rights = {name: changed.pop(name) for name in RIGHTS if name in changed}
        if rights:
            services.update_rights(user=obj, by=by, **rights)
        services.tend_profile(user=obj, by=by, **changed)

    # --- Who sees what -----------------------------------------------------------------

    def found(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        if pk := read_id(text):
            return rows.filter(pk=pk)
        if person := person_at(text):
            return rows.filter(pk=person.pk)
        people = cast(UserQuerySet, rows)
        words = [word for word in text.split() if len(word) >= SHORTEST_WORD]
        for word in words:
            people = people.matching(word)
        return people if words else people.none()

    def get_queryset(self, request: HttpRequest) -> UserQuerySet:
        return User.objects.get_queryset()

    def get_list_display(self, request: HttpRequest) -> Any:
        return self._without_rights(request, self.list_display)

    def get_list_filter(self, request: HttpRequest) -> Any:
        return self._without_rights(request, self.list_filter)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if self.has_superuser_permission(request):
            return self.fieldsets
        return [(name, given) for name, given in self.fieldsets if name != "Rights"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if self.has_superuser_permission(request):
            return self.readonly_fields
        return (*self.readonly_fields, "email_verified")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is None:
            return self.has_view_permission(request)
        return obj.deleted_at is None and acting(request).may_tend(obj)

    def _without_rights(self, request: HttpRequest, names: Any) -> Any:
        if self.has_superuser_permission(request):
            return names
        return [name for name in names if name not in RIGHTS]


def acting(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User):
        raise TypeError("The console is for signed-in people.")
    return user


def _ids(people: QuerySet[User]) -> list[Any]:
    return list(people.values_list("pk", flat=True))


def _described(user: User) -> dict[str, Any]:
    return {name: getattr(user, name) for name in COLUMNS}
