"""The example client of the live events, as two people at two devices see it."""

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import EMAIL, PASSWORD, Site

SECOND_MS = 1_000


def forget_refusals(faults: list[str]) -> None:
    """The browser itself counts an answer of 401 among its errors."""
    faults[:] = [fault for fault in faults if "401" not in fault]


def enter(page: Page) -> Page:
    page.goto("/live")
    page.get_by_label("Mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    expect(page.locator("#sessions li").filter(has_text="(this one)")).to_be_visible()
    return page


@pytest.fixture
def two_pages(context: BrowserContext) -> tuple[Page, Page]:
    """Of one person; the first sees the second come."""
    first = enter(context.new_page())
    before = first.get_by_role("button", name="End").count()
    second = enter(context.new_page())
    expect(first.get_by_role("button", name="End")).to_have_count(before + 1)
    return first, second


def test_ending_a_session_from_one_page_signs_the_other_out_within_a_second(
    two_pages: tuple[Page, Page], faults: list[str]
) -> None:
    first, second = two_pages
    first.get_by_role("button", name="End").first.click()
    expect(second.get_by_text("Your session has ended.")).to_be_visible(timeout=SECOND_MS)
    expect(second.get_by_role("button", name="Sign in")).to_be_visible()
    expect(first.locator("#events li").first).to_contain_text("session.ended")
    expect(first.get_by_text("Connected", exact=True)).to_be_visible()
    forget_refusals(faults)


def test_signing_out_on_one_page_is_told_to_the_other(
    two_pages: tuple[Page, Page],
) -> None:
    first, second = two_pages
    second.get_by_role("button", name="Sign out").click()
    expect(second.get_by_text("Signed out.")).to_be_visible()
    expect(first.locator("#events li").first).to_contain_text("session.ended")


def test_a_wrong_password_is_told_in_words(page: Page, faults: list[str]) -> None:
    page.goto("/live")
    page.get_by_label("Mail address").fill(EMAIL)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#told")).not_to_be_empty()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    forget_refusals(faults)


def test_what_changes_in_an_organization_is_told(page: Page, site: Site) -> None:
    with httpx.Client(base_url=f"{site.url}/api/v1") as client:
        body = {"email": EMAIL, "password": PASSWORD}
        token = client.post("/auth/login", json=body).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        tenant = client.post("/organizations", json={"name": "Engines"}).json()
        enter(page)
        expect(page.get_by_text("Engines: owner")).to_be_visible()
        client.patch(f"/organizations/{tenant['id']}", json={"description": "New"})
    expect(page.locator("#events li").first).to_contain_text("organization.updated")
