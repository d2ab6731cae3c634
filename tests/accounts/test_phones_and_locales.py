import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from accounts.locales import validate_locale
from accounts.models import User
from accounts.phones import normalize_phone_number, validate_phone_number
from tests.conftest import SignIn

DIGITS = st.text("0123456789", min_size=8, max_size=14)
BETWEEN = st.text(" -()", max_size=3)


def is_valid(check: object, value: str) -> bool:
    try:
        check(value)  # type: ignore[operator]  # both checks are callable
    except ValidationError:
        return False
    return True


@given(st.sampled_from("+0"), DIGITS, BETWEEN)
def test_punctuation_makes_no_other_number(start: str, digits: str, mark: str) -> None:
    typed = mark.join(f"{start}{digits}")
    assert normalize_phone_number(typed) == start + digits
    assert is_valid(validate_phone_number, start + digits)


@given(st.text(max_size=20))
def test_a_valid_number_is_short_and_plain(text: str) -> None:
    if is_valid(validate_phone_number, text):
        assert text[0] in "+0"
        assert text[1:].isascii()
        assert text[1:].isdigit()
        assert 9 <= len(text) <= 15


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("+12345678", True),
        ("012345678", True),
        ("+12345678901234", True),
        ("+1234567", False),
        ("01234567", False),
        ("+123456789012345", False),
        ("0123456789012345", False),
        ("112345678", False),
        ("+1234 5678", False),
        ("+12345678\n", False),
        ("\n+12345678", False),
        ("+1234567٨", False),
        ("", False),
    ],
)
def test_a_number_is_plus_or_zero_and_8_to_14_digits(number: str, valid: bool) -> None:
    assert is_valid(validate_phone_number, number) is valid


@pytest.mark.django_db
@pytest.mark.parametrize(
    "typed",
    ["--()", "+39.02.1234567", "+39/02/1234567", "++3902123456", "tel:+390212345"],
)
def test_other_punctuation_is_refused(api: SignIn, alice: User, typed: str) -> None:
    answer = api(alice).patch("/users/me", {"phone_number": typed})
    assert answer.status_code == 422
    assert User.objects.get(pk=alice.pk).phone_number == ""


@pytest.mark.parametrize(
    ("locale", "valid"),
    [
        ("en", True),
        ("it", True),
        ("en-us", True),
        ("it-ch", True),
        ("en-latn-gb", True),
        ("fr", False),
        ("fr-it", False),
        ("", False),
        ("e", False),
        ("engl", False),
        ("en-", False),
        ("-en", False),
        ("en--us", False),
        ("en_us", False),
        ("en-us\n", False),
        ("en-" + "a" * 9, False),
        ("en/../it", False),
        ("en-us-a-b-c-d", False),
    ],
)
def test_a_locale_is_of_a_configured_language(locale: str, valid: bool) -> None:
    assert is_valid(validate_locale, locale) is valid


@given(st.text(max_size=40))
def test_no_locale_is_longer_than_its_column(text: str) -> None:
    if is_valid(validate_locale, text):
        assert len(text) <= 35


@pytest.mark.django_db
@pytest.mark.parametrize(("typed", "kept"), [("EN", "en"), ("It-CH", "it-ch")])
def test_a_locale_is_kept_in_lower_case(
    api: SignIn, alice: User, typed: str, kept: str
) -> None:
    answer = api(alice).patch("/users/me", {"locale": typed})
    assert answer.json()["locale"] == kept
    assert User.objects.get(pk=alice.pk).locale == kept
