"""The cookie is renewed when the password is given, while another tab is asking."""

from typing import Any

import pytest
from django.contrib.sessions.models import Session

from config import stats
from tests.accounts.console import Browser

pytestmark = pytest.mark.django_db


def test_a_page_on_its_way_is_refused_and_not_a_fault(
    console: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its session is gone by the time it is answered; the tab has the new one then."""
    figures = stats.dashboard

    def renewed_meanwhile() -> Any:
        Session.objects.all().delete()
        return figures()

    monkeypatch.setattr(stats, "dashboard", renewed_meanwhile)
    answer = console.get("/admin/")
    assert answer.status_code == 400
    assert "Traceback" not in answer.text
    assert Session.objects.count() == 0
