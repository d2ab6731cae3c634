from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts import services
from accounts.models import User, UserQuerySet
from config.admin import Room, person_at
from config.errors import DomainError
from config.identifiers import read_id
from sessions_app.models import EndReason
from sessions_app.services import end_all_of

# An index of trigrams finds no shorter ones.
SHORTEST_WORD = 3


@admin.register(User)
class UserAdmin(Room):
    """People register themselves and leave by the actions; hashes are not shown."""

    list_display = (
        "email",
        "first_name",
        "last_name",
        "is_active",
        "is_staff",
        "is_superuser",
        "created_at",
    )
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_help_text = "Parts of three letters or more of address and name, or a whole id"
    sortable_by = ("created_at",)
    ordering = ("-created_at", "-id")
    readonly_fields = (
        "id",
        "email",
        "is_active",
        "created_at",
        "updated_at",
        "leaving_since",
        "deleted_at",
        "anonymized_at",
        "last_login",
    )
    fieldsets = (
        (None, {"fields": ("id", "email", "email_verified", "is_active")}),
        (
            "Profile",
            {"fields": ("first_name", "last_name", "phone_number", "locale")},
        ),
        ("Rights", {"fields": ("is_staff", "is_superuser")}),
        (
            "Times",
            {
                "fields": (
                    "created_at",
                    "updated_at",
                    "leaving_since",
                    "deleted_at",
                    "anonymized_at",
                    "last_login",
                )
            },
        ),
    )
    actions = ("activate", "deactivate", "end_sessions", "delete_softly")

    @admin.action(description="Activate")
    def activate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        refused = services.activate_users(user_ids=ids, by=_acting(request))
        self._report(request, len(ids), refused)

    @admin.action(description="Deactivate")
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        refused = services.deactivate_users(user_ids=ids, by=_acting(request))
        self._report(request, len(ids), refused)

    @admin.action(description="Delete (softly)")
    def delete_softly(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        refused = services.deactivate_users(
            user_ids=ids, by=_acting(request), delete=True
        )
        self._report(request, len(ids), refused)

    @admin.action(description="End all sessions")
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        number = end_all_of(ids, reason=EndReason.REVOKED, by=request.user)
        self.message_user(request, f"{number} sessions ended.", messages.SUCCESS)

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

    def _report(
        self, request: HttpRequest, chosen: int, refused: dict[Any, DomainError]
    ) -> None:
        done = chosen - len(refused)
        if done:
            self.message_user(request, f"{done} people changed.", messages.SUCCESS)
        for reason in {refusal.message for refusal in refused.values()}:
            self.message_user(request, reason, messages.ERROR)

    def save_model(
        self,
        request: HttpRequest,
        obj: User,
        form: Any,
        change: bool,  # noqa: FBT001  # Django calls it so
    ) -> None:
        names = set(form.changed_data)
        rights = {"is_staff", "is_superuser"}
        if names & rights:
            services.update_rights(
                user=obj,
                by=_acting(request),
                is_staff=obj.is_staff,
                is_superuser=obj.is_superuser,
            )
        profile = {name: getattr(obj, name) for name in sorted(names - rights)}
        services.update_profile(user=obj, by=_acting(request), **profile)

    def get_queryset(self, request: HttpRequest) -> UserQuerySet:
        return User.objects.get_queryset()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request)


def _acting(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User):
        raise TypeError("The console is for signed-in people.")
    return user
