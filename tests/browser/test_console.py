"""The console as a person sees it: in a browser, under the strict policy."""

import pytest
from playwright.sync_api import Page, expect


def test_a_superuser_comes_in_and_goes_again(console: Page) -> None:
    expect(console.get_by_role("heading", name="Console")).to_be_visible()
    console.get_by_role("button", name="Log out").click()
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
