from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from config.admin import Room, person_at
from config.confirming import dangerous
from config.identifiers import read_id
from outbox import services
from outbox.models import Mail, Status


@admin.register(Mail)
class MailAdmin(Room):
    """Mails are written by what they tell of; those given up can be sent again."""

    open_to_support = True
    list_display = (
        "kind",
        "recipient",
        "status",
        "attempts",
        "last_error",
        "created_at",
    )
    list_filter = ("status",)
    search_help_text = "A whole mail address, or the id of a mail or person"
    ordering = ("-id",)
    # What it says is sealed, and for nobody else to read.
    fields = (
        "id",
        "kind",
        "recipient",
        "locale",
        "status",
        "attempts",
        "last_error",
        "created_at",
        "due_at",
        "expires_at",
        "ended_at",
    )
    readonly_fields = fields
    actions = ("send_again",)
    makes_sense: ClassVar = {"send_again": lambda mail, by: mail.status == Status.DEAD}

    def found(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        if pk := read_id(text):
            return rows.filter(Q(pk=pk) | Q(person_id=pk))
        if person := person_at(text):
            return rows.filter(Q(recipient=text) | Q(person_id=person.pk))
        return rows.filter(recipient=text)

    @dangerous("Send again", "Of these, the mails that were given up are tried again.")
    def send_again(self, request: HttpRequest, queryset: QuerySet[Mail]) -> None:
        number = services.send_again(
            mails=queryset,
            by=request.user,  # type: ignore[arg-type]  # the console is for signed-in people
        )
        self.message_user(
            request, f"{number} mails will be sent again.", messages.SUCCESS
        )
