"""The mail of an invitation: to whom, in which words, and with the one copy of its token;
sending it again, taking it back; and that it leaves with the change or not at all.
"""

import logging
import re
from html import escape

import pytest
from django.core.mail import EmailMultiAlternatives

from accounts.models import User
from audit import services as audit
from audit.models import Event
from organizations.models import Invitation
from outbox.delivery import deliver_due
from outbox.rendering import render
from tests.accounts.test_export import dump
from tests.accounts.test_faults import FAULTS, SECRET, Fault, failing
from tests.config.refusals import refused
from tests.conftest import SignIn
from tests.factories import PASSWORD, UserFactory
from tests.mailbox import mails
from tests.organizations.cast import Tenant, invitation_token
from tests.organizations.test_inviting import (
    DANA,
    KIND,
    expire,
    happened,
    held,
    invite,
    invited,
    opens,
    row,
    url_of,
)
from tests.outbox.test_rendering import html_of, on_the_wire, plain

pytestmark = pytest.mark.django_db

HOSTILE = "<b>Eve</b>\r\nBcc: x\r\n\r\n'\"&{{ product }}"
LINK = re.compile(r"https://app\.example\.com/invitation#token=([A-Za-z0-9_-]{43,})")


def letter(to: str = DANA) -> EmailMultiAlternatives:
    return render(mails(KIND, to=to)[-1])


# --- The token ---------------------------------------------------------------------


def test_a_token_is_long_random_and_kept_as_a_digest_alone(
    api: SignIn, acme: Tenant
) -> None:
    """Check 134: 32 bytes in the sealed mail, and in no other place of the database."""
    client = api(acme.owner)
    tokens = [invited(client, acme, f"dana{n}@example.com") for n in range(3)]
    assert len({token[:8] for token in tokens}) == 3
    for token in tokens:
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
        assert dump().count(token.lower()) == 1
    assert all(
        re.fullmatch("[0-9a-f]{64}", i.token_digest) for i in Invitation.objects.all()
    )


def test_a_token_is_in_no_answer_event_or_log(
    api: SignIn,
    acme: Tenant,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    dana = UserFactory.create(email=DANA, email_verified=True)
    client, hers = api(acme.owner), api(dana)
    with caplog.at_level(logging.DEBUG, logger="edge"):
        answers = [invite(client, acme)]
        token, digest = invitation_token(DANA), row().token_digest
        for path in (acme.url + "/invitations", acme.url + "/events"):
            answers += [client.get(path), client.get(f"{path}?limit=100")]
        answers += [hers.get("/invitations/me"), hers.get("/users/me/export")]
        for path in ("preview", "decline", "accept"):
            answers += [hers.post(f"/invitations/{path}", {"token": token})]
        answers += [api().post("/invitations/accept", {"token": token})]
    written = (
        caplog.text + "".join(capfd.readouterr()) + str(list(Event.objects.values()))
    )
    written += "".join(answer.text + str(answer.headers) for answer in answers)
    assert "invitation.declined" in written
    assert token not in written
    assert digest not in written


# --- To whom, in which language ----------------------------------------------------


WORDS = {"en": ("Invitation to join", "Hello"), "it": ("Invito a far parte di", "Ciao")}


@pytest.mark.parametrize(
    ("inviter", "invitee", "language"),
    [("en", None, "en"), ("it", None, "it"), ("it", "en", "en"), ("en", "it", "it")],
)
def test_a_mail_is_in_the_language_of_whoever_gets_it(
    api: SignIn, acme: Tenant, inviter: str, invitee: str | None, language: str
) -> None:
    User.objects.filter(pk=acme.owner.pk).update(locale=inviter)
    dana = {"email": DANA, "first_name": "Dana", "email_verified": True}
    if invitee:
        UserFactory.create(**dana, locale=invitee)
    invited(api(acme.owner), acme)
    message, (subject, hello) = letter(), WORDS[language]
    assert message.subject.startswith(f"{subject} “Acme” ")
    assert f'<html lang="{language}">' in html_of(message)
    assert str(message.body).startswith(f"{hello} Dana," if invitee else f"{hello},")


@pytest.mark.parametrize(
    ("role", "english", "italian"),
    [
        ("owner", "as an owner", "proprietario"),
        ("admin", "as an admin", "amministratore"),
        ("member", "as a member", "membro"),
    ],
)
def test_a_mail_says_who_invites_where_and_as_what(
    api: SignIn, acme: Tenant, role: str, english: str, italian: str
) -> None:
    token = invited(api(acme.owner), acme, role=role)
    [mail] = mails(KIND, to=DANA)
    for mail.locale, words in (("en", english), ("it", italian)):
        message = render(mail)
        for text in (plain(message.body), plain(html_of(message))):
            assert f"Acme owner ({acme.owner.email})" in text
            assert "“Acme”" in text
            assert words in text
            assert "None" not in text
            assert set(LINK.findall(text)) == {token}
        assert message.to == message.recipients() == [DANA]


def test_a_mail_belongs_to_whoever_is_known_and_dies_with_its_link(
    api: SignIn, acme: Tenant
) -> None:
    known = UserFactory.create(email="known@example.com")
    for email, person in ((DANA, None), (known.email, known.pk)):
        invited(api(acme.owner), acme, email)
        [mail] = mails(KIND, to=email)
        assert (mail.person_id, mail.expires_at) == (person, row(email).expires_at)


def test_a_known_person_is_mailed_at_the_address_of_the_account(
    api: SignIn, acme: Tenant
) -> None:
    """CVE-2019-19844: one account by its key, another mailbox."""
    UserFactory.create(email="mark@example.com")
    invite(api(acme.owner), acme, "mar\N{KELVIN SIGN}@example.com")
    assert [mail.recipient for mail in mails(KIND)] == ["mark@example.com"]


# --- What others chose -------------------------------------------------------------


@pytest.mark.parametrize("locale", ["en", "it"])
@pytest.mark.parametrize("place", ["organization", "inviter", "invitee"])
def test_a_name_is_text_and_neither_markup_nor_header(
    api: SignIn, acme: Tenant, place: str, locale: str
) -> None:
    UserFactory.create(email=DANA, locale=locale, email_verified=True)
    if place == "organization":
        acme.organization.name = HOSTILE
        acme.organization.save()
    else:
        chosen = acme.owner.email if place == "inviter" else DANA
        User.objects.filter(email=chosen).update(first_name=HOSTILE, last_name="")
    invited(api(acme.owner), acme)
    message = letter()
    html, wire = html_of(message), on_the_wire(message)
    assert "<b>" not in html
    assert "&lt;b&gt;Eve&lt;/b&gt;" in html
    assert all(part in message.body for part in ("<b>Eve</b>", "{{ product }}"))
    assert len(message.subject.splitlines()) == 1
    assert (wire["Bcc"], wire["To"], message.recipients()) == (None, DANA, [DANA])


@pytest.mark.parametrize(
    "name", ["Buy at evil.test", "https://evil", "WWW.evil", "\u202e\u200b\ufeff"]
)
def test_a_name_brings_no_link_and_no_unseen_letter(
    api: SignIn, acme: Tenant, name: str
) -> None:
    acme.organization.name = name
    acme.organization.save()
    User.objects.filter(pk=acme.owner.pk).update(first_name=name, last_name="")
    invited(api(acme.owner), acme)
    message = letter()
    for text in (message.subject, message.body, html_of(message)):
        assert name not in text
        assert "“acme”" in text


@pytest.mark.parametrize("name", ["N" * 255, "word " * 50 + "Z", "<" * 255, "🜁" * 255])
def test_a_long_name_is_cut(api: SignIn, acme: Tenant, name: str) -> None:
    acme.organization.name = name
    acme.organization.save()
    User.objects.filter(pk=acme.owner.pk).update(first_name=name[:150])
    invited(api(acme.owner), acme)
    message = letter()
    assert name[:40] in message.subject
    assert len(message.subject) < 110
    everything = message.subject + str(message.body) + html_of(message)
    assert name[:61] not in everything
    assert escape(name[:61]) not in everything


# --- Sent again, taken back --------------------------------------------------------


@pytest.mark.parametrize("expired", [False, True])
def test_sending_again_gives_a_new_link_and_all_its_time(
    api: SignIn, acme: Tenant, expired: bool
) -> None:
    old, first = invited(api(acme.owner), acme), row()
    if expired:
        expire()
    answer = api(acme.admin).post(f"{url_of(acme, first)}/resend")
    assert answer.json()["success"] is True
    assert (row().pk, row().status, row().inviter) == (first.pk, "open", acme.admin)
    assert row().expires_at > first.expires_at
    new = invitation_token(DANA)
    assert (opens(api(), old), opens(api(), new)) == (False, True)
    [event] = happened("renewed")
    assert (event.actor_id, event.target_id) == (acme.admin.pk, first.pk)
    assert event.organization_id == acme.organization.pk


def test_revoking_ends_it_and_may_be_repeated(api: SignIn, acme: Tenant) -> None:
    token, client = invited(api(acme.owner), acme), api(acme.admin)
    expire()
    url = url_of(acme, row())
    assert [client.delete(url).status_code for _ in range(2)] == [200, 200]
    assert (row().status, row().ended_at is None) == ("revoked", False)
    [event] = happened("revoked")
    assert (event.actor_id, event.target_id) == (acme.admin.pk, row().pk)
    assert event.organization_id == acme.organization.pk
    assert not opens(api(), token)
    assert opens(api(), invited(client, acme))


@pytest.mark.parametrize("call", ["revoke", "resend"])
@pytest.mark.parametrize("way", ["accept", "decline", "revoke"])
def test_what_is_answered_or_revoked_is_neither_sent_again_nor_taken_back(
    api: SignIn, acme: Tenant, way: str, call: str
) -> None:
    dana = UserFactory.create(email=DANA, email_verified=True)
    token, client = invited(api(acme.owner), acme), api(acme.owner)
    url = url_of(acme, row())
    if way == "revoke":
        client.delete(url)
    else:
        api(dana).post(f"/invitations/{way}", {"token": token})
    before = held(), Event.objects.filter(action__startswith="invitation.").count()
    answer = client.delete(url) if call == "revoke" else client.post(f"{url}/resend")
    if way == call == "revoke":
        assert answer.status_code == 200
    else:
        refused(answer, 409, "invitation_closed")
    told = Event.objects.filter(action__startswith="invitation.").count()
    assert (held(), told) == before


# --- With the change, or not at all ------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    "call", ["invite", "renew", "resend", "revoke", "accept", "decline", "register"]
)
def test_what_cannot_be_recorded_is_neither_done_nor_mailed(
    api: SignIn, acme: Tenant, monkeypatch: pytest.MonkeyPatch, call: str, fault: Fault
) -> None:
    """Checks 216 and 244."""
    dana = UserFactory.create(email=DANA, email_verified=True)
    client, hers = api(acme.owner), api(dana)
    token = invited(client, acme)
    newcomer = {"email": "new@example.com", "password": PASSWORD, "first_name": "New"}
    newcomer["invitation_token"] = invited(client, acme, "new@example.com")
    before, url = (held(), list(Event.objects.values())), url_of(acme, row())
    monkeypatch.setattr(audit, "_add", failing(fault.kind))
    answer = {
        "invite": lambda: invite(client, acme, "third@example.com"),
        "renew": lambda: invite(client, acme),
        "resend": lambda: client.post(f"{url}/resend"),
        "revoke": lambda: client.delete(url),
        "accept": lambda: hers.post("/invitations/accept", {"token": token}),
        "decline": lambda: hers.post("/invitations/decline", {"token": token}),
        "register": lambda: api().post("/auth/register", newcomer),
    }[call]()
    assert (answer.status_code, SECRET in answer.text) == (fault.status, False)
    assert (held(), list(Event.objects.values())) == before
    monkeypatch.undo()
    assert (opens(api(), token), deliver_due()) == (True, 2)
