"""The console as a person sees it: in a browser, under the strict policy."""

import re
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, Site

DESKTOP, PHONE = (1280, 900), (390, 844)
LOOKS = [
    {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
    for width, height in (DESKTOP, PHONE)
    for scheme in ("light", "dark")
]
every_look = pytest.mark.parametrize(
    "look",
    LOOKS,
    indirect=True,
    ids=["desktop-light", "desktop-dark", "phone-light", "phone-dark"],
)
ROOMS = (
    "accounts/user",
    "sessions_app/session",
    "organizations/organization",
    "organizations/membership",
    "organizations/invitation",
    "audit/event",
    "outbox/mail",
)


@pytest.fixture(scope="module", autouse=True)
def people(site: Site) -> None:
    site.manage("seed_demo", "--users", "30", "--sessions", "60", "--organizations", "3")


def fits(page: Page) -> bool:
    """Nothing has to be looked for to the right of the page."""
    return bool(
        page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    )


# --- Coming in ---------------------------------------------------------------------


def test_a_superuser_comes_in_and_goes_again(console: Page) -> None:
    expect(console.get_by_role("heading", name="Console")).to_be_visible()
    console.get_by_role("button", name="Log out").click()
    expect(console.get_by_text("Your session of the console has ended.")).to_be_visible()
    expect(console.get_by_role("link", name="Log in again")).to_be_visible()


@pytest.mark.parametrize(
    "breach",
    [
        "document.body.setAttribute('style', 'color: red')",
        "document.body.setAttribute('onclick', 'alert(1)')",
        "fetch('https://elsewhere.invalid/').catch(() => 0)",
        "setTimeout(() => { throw new Error('uncaught') })",
    ],
)
def test_what_is_wrong_with_a_page_is_seen(
    page: Page, faults: list[str], breach: str
) -> None:
    """Or the watch over the pages would watch nothing."""
    page.goto("/admin/login/")
    assert faults == []
    page.evaluate(breach)
    page.wait_for_timeout(100)
    assert faults
    faults.clear()


# --- The first page ----------------------------------------------------------------


@every_look
def test_the_first_page_is_read_in_any_light_and_width(console: Page) -> None:
    people = console.locator(".figures div", has_text="People").first
    expect(people.locator("dd")).to_have_text(re.compile(r"^\d+$"))
    chart = console.get_by_role("img", name="Registrations by day")
    expect(chart).to_be_visible()
    assert fits(console)
    figure = console.locator("#chart-registrations")
    figure.get_by_text("As a table").click()
    expect(figure.get_by_role("row")).to_have_count(15)
    ground = console.evaluate("getComputedStyle(document.body).backgroundColor")
    for drawn, what in (("rect.first", "fill"), ("text", "fill")):
        found = chart.locator(drawn).first.evaluate(
            "(drawn, what) => getComputedStyle(drawn)[what]", what
        )
        assert contrast(found, ground) >= 3


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: at least 3 for what is drawn."""
    lights = sorted((luminance(one), luminance(other)), reverse=True)
    return (lights[0] + 0.05) / (lights[1] + 0.05)


def luminance(colour: str) -> float:
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", colour)[:3])
    parts = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in (red, green, blue)
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_the_charts_follow_the_theme_that_was_chosen(console: Page) -> None:
    bar = console.locator("#chart-registrations rect.first").first
    fills = set()
    for _ in range(3):
        fills.add(bar.evaluate("bar => getComputedStyle(bar).fill"))
        console.locator("button.theme-toggle").first.click()
    assert len(fills) == 2


# --- Rooms -------------------------------------------------------------------------


@every_look
def test_every_room_opens_in_any_light_and_width(console: Page) -> None:
    for room in ROOMS:
        answer = console.goto(f"/admin/{room}/")
        assert answer is not None
        assert answer.status == 200
        assert fits(console), room
        expect(console.locator("#searchbar")).to_be_visible()


def test_somebody_is_found_and_shut_out_with_the_password(
    console: Page, site: Site
) -> None:
    [[pk, email]] = site.sql(
        "SELECT id, email FROM accounts_user WHERE is_active AND NOT is_staff"
        " ORDER BY id DESC LIMIT 1"
    )
    console.goto("/admin/accounts/user/")
    console.locator("#searchbar").fill(email)
    console.locator("#searchbar").press("Enter")
    expect(console.get_by_role("link", name=email)).to_be_visible()
    expect(console.locator("#result_list tbody tr")).to_have_count(1)
    console.locator("#result_list [name=_selected_action]").check()
    console.locator("select[name=action]").select_option("deactivate")
    console.get_by_role("button", name="Go").click()
    expect(console.get_by_text("They are out at once")).to_be_visible()
    console.get_by_label("Your password").fill("wrong")
    console.get_by_role("button", name="Deactivate").click()
    expect(console.get_by_role("alert")).to_have_text("The current password is wrong.")
    assert is_active(site, pk)
    console.get_by_label("Your password").fill(PASSWORD)
    console.get_by_role("button", name="Deactivate").click()
    expect(console.get_by_text("1 people changed.")).to_be_visible()
    assert not is_active(site, pk)


def is_active(site: Site, pk: object) -> bool:
    return bool(site.sql("SELECT is_active FROM accounts_user WHERE id = ?", pk)[0][0])


@pytest.mark.parametrize("look", LOOKS[2:3], indirect=True, ids=["phone"])
def test_a_person_has_everything_on_one_page(console: Page, site: Site) -> None:
    [[email]] = site.sql(
        "SELECT email FROM accounts_user JOIN organizations_membership"
        " ON accounts_user.id = user_id ORDER BY email LIMIT 1"
    )
    console.goto(f"/admin/accounts/user/?q={email}")
    console.get_by_role("link", name=email).click()
    for panel in ("Sessions", "Memberships", "Events"):
        expect(console.get_by_role("region", name=panel)).to_be_visible()
    assert fits(console)
    console.get_by_role("button", name="Mail a link for a new password").click()
    expect(console.get_by_role("heading", name="Mail a link")).to_be_visible()
    assert fits(console)


def test_a_member_is_changed_on_the_page_of_the_organization(
    console: Page, site: Site
) -> None:
    [[organization]] = site.sql(
        "SELECT organization_id FROM organizations_membership"
        " GROUP BY organization_id ORDER BY count(*) DESC LIMIT 1"
    )
    path = f"/admin/organizations/organization/{UUID(str(organization))}/change/"
    console.goto(path)
    console.locator("select[name=memberships-1-role]").select_option("owner")
    console.get_by_label("Your password").fill(PASSWORD)
    console.get_by_role("button", name="Save", exact=True).click()
    expect(console.locator(".messagelist .success")).to_be_visible()
    console.goto(path)
    role = console.locator("select[name=memberships-1-role]")
    expect(role).to_have_value("owner")
