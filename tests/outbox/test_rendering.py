"""What a reader sees: in two languages, escaped, and with the headers of a machine."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from html import escape
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from outbox.delivery import deliver_due
from outbox.models import Mail
from outbox.rendering import language_of, render
from outbox.sealing import unseal
from tests.outbox.cast import WITHOUT_LINK, WRITERS, written
from tests.outbox.letters import anew, letter, make_due, queue
from tests.outbox.postbox import Fault, Postbox

pytestmark = pytest.mark.django_db

LANGUAGES = ("en", "it")
HELLO = {"en": "Hello", "it": "Ciao"}
TEMPLATES = configured.BASE_DIR / "templates" / "accounts" / "mail"
HOSTILE = "<b>Eve</b>\r\nBcc: x@evil.test\r\n\r\n'\"&{{ product }}"
ON_ONE_LINE = "<b>Eve</b> Bcc: x@evil.test '\"&{{ product }}"


def html_of(message: EmailMultiAlternatives) -> str:
    ((content, kind),) = message.alternatives
    assert kind == "text/html"
    return str(content)


def on_the_wire(message: EmailMultiAlternatives) -> EmailMessage:
    parser = BytesParser(EmailMessage, policy=default)
    return parser.parsebytes(message.message().as_bytes())


def plain(text: object) -> str:
    """As the eye reads it, wherever a line was broken."""
    return " ".join(str(text).split())


def test_every_kind_of_mail_is_looked_at_here() -> None:
    for language in LANGUAGES:
        for ending in (".subject.txt", ".html"):
            files = (TEMPLATES / language).glob(f"*{ending}")
            assert {file.name.removesuffix(ending) for file in files} == set(WRITERS)
        texts = {file.name for file in (TEMPLATES / language).glob("*.txt")}
        assert {f"{kind}.txt" for kind in WRITERS} <= texts


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", WRITERS)
def test_a_mail_says_everything_in_both_formats(
    alice: User, kind: str, language: str
) -> None:
    alice.locale = language
    alice.save()
    mail = written(kind, alice)
    data = unseal(mail.sealed)
    message = render(mail)
    html = html_of(message)
    assert message.subject
    assert len(message.subject) < 78
    assert f'<html lang="{language}">' in html
    for body in (message.body, html):
        assert f"{HELLO[language]} Alice," in body
        assert configured.PRODUCT_NAME in plain(body)
        assert "{{" not in body
        assert "{%" not in body
        assert "None" not in body
        assert data.get("code", "") in body
        assert (kind in WITHOUT_LINK) is not ("https://app.example.com/" in body)
        assert data["link"] in body
    assert max(len(line) for line in message.body.splitlines()) <= 120
    assert "<" not in message.body.replace("<br", "")


@pytest.mark.parametrize("kind", WRITERS)
def test_the_languages_differ_and_say_the_same_things(alice: User, kind: str) -> None:
    mail = written(kind, alice)
    messages = {}
    for language in LANGUAGES:
        mail.locale = language
        messages[language] = render(mail)
    english, italian = (messages[language] for language in LANGUAGES)
    assert english.subject != italian.subject
    assert english.body != italian.body
    assert html_of(english) != html_of(italian)
    for line in str(english.body).splitlines():
        if len(line.split()) > 4:
            assert line not in str(italian.body)


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("en", "en"),
        ("en-gb", "en"),
        ("it", "it"),
        ("it-it", "it"),
        ("it-ch", "it"),
        ("de", "en"),
        ("de-it", "en"),
        ("", "en"),
        ("x" * 35, "en"),
        ("../../etc", "en"),
        ("it/../en", "en"),
    ],
)
def test_a_locale_leads_to_a_language_that_is_there(locale: str, language: str) -> None:
    assert language_of(locale) == language
    message = render(letter(locale=locale))
    assert str(message.body).startswith(HELLO[language])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", WRITERS)
def test_a_name_is_text_and_no_header(alice: User, kind: str, language: str) -> None:
    alice.first_name = HOSTILE
    alice.locale = language
    alice.save()
    message = render(written(kind, alice))
    html = html_of(message)
    assert f"{HELLO[language]} {ON_ONE_LINE}," in plain(message.body)
    assert f"{HELLO[language]} {plain(escape(HOSTILE))}," in plain(html)
    assert "<b>" not in html
    assert "\n" not in message.subject
    assert "\r" not in message.subject
    wire = on_the_wire(message)
    assert wire["Bcc"] is None
    assert "evil" not in str(wire.items())
    assert message.recipients() == [message.to[0]]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_product_name_is_text_and_no_header(
    alice: User, kind: str, settings: Settings
) -> None:
    settings.PRODUCT_NAME = "Fish & <Chips>\r\nBcc: x@evil.test"
    message = render(written(kind, alice))
    assert "Fish & <Chips> Bcc: x@evil.test" in message.subject
    assert "Fish & <Chips>" in plain(message.body)
    assert "Fish &amp; &lt;Chips&gt;" in html_of(message)
    assert "<Chips>" not in html_of(message)
    assert on_the_wire(message)["Bcc"] is None


@pytest.mark.parametrize("field", ["device", "place", "address", "new_email"])
def test_what_a_stranger_chose_is_text(field: str) -> None:
    kind = "address_changed" if field == "new_email" else "new_device"
    odd = {field: "<script>alert(1)</script>"}
    message = render(letter(kind=f"accounts.{kind}", **odd))
    assert "<script>" not in html_of(message)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html_of(message)
    assert "<script>alert(1)</script>" in message.body


def test_a_link_is_not_broken_by_what_is_in_it() -> None:
    link = "https://app.example.com/x?a=1&b=2#token=" + "k" * 200
    message = render(letter(link=link))
    assert link in message.body
    assert f'href="{escape(link)}"' in html_of(message)
    wire = on_the_wire(message).get_body(("plain",))
    assert wire is not None
    assert link in wire.get_content()


@pytest.mark.parametrize(
    ("locale", "shown"),
    [("en", "1 March 2026, 23:05 UTC"), ("it", "1 marzo 2026, 23:05 UTC")],
)
@pytest.mark.parametrize("here", ["UTC", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize(
    "at",
    [datetime(2026, 3, 1, 23, 5, tzinfo=UTC), "2026-03-02T08:05:00+09:00"],
)
def test_a_moment_is_shown_in_utc(locale: str, shown: str, here: str, at: Any) -> None:
    mail = letter(kind="accounts.new_device", locale=locale, at=at)
    with timezone.override(here):
        message = render(mail)
    assert shown in message.body
    assert shown in html_of(message)


@pytest.mark.parametrize(
    ("locale", "shown"), [("en", "8 December 2026"), ("it", "8 dicembre 2026")]
)
def test_the_last_day_is_the_same_everywhere(locale: str, shown: str) -> None:
    until = datetime(2026, 12, 8, 23, 30, tzinfo=UTC)
    mail = letter(kind="accounts.leaving_started", locale=locale, until=until)
    with timezone.override("Asia/Tokyo"):
        message = render(mail)
    for text in (message.subject, message.body, html_of(message)):
        assert shown in text


def test_the_headers_are_those_of_a_machine(settings: Settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "Fish <noreply@mail.example.org>"
    mail = letter()
    wire = on_the_wire(render(mail))
    assert wire["From"] == "Fish <noreply@mail.example.org>"
    assert wire["To"] == mail.recipient
    assert wire["Auto-Submitted"] == "auto-generated"
    assert wire["Message-ID"] == f"<{mail.pk}@mail.example.org>"
    assert wire.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in wire.iter_parts()]
    assert kinds == ["text/plain", "text/html"]


def test_each_attempt_has_the_same_message_id(postbox: Postbox) -> None:
    """Who was left in doubt and gets it twice can tell."""
    (mail,) = queue()
    postbox.fail(Fault.BREAKS_IN_DATA)
    assert deliver_due() == 0
    postbox.recover()
    make_due()
    assert deliver_due() == 1
    Mail.objects.filter(pk=mail.pk).update(
        status="waiting", ended_at=None, sealed=mail.sealed
    )
    make_due()
    assert deliver_due() == 1
    assert anew(mail).attempts == 3
    first, second = (received.message["Message-ID"] for received in postbox.received)
    assert first == second == f"<{mail.pk}@localhost>"
