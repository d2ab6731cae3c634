from typing import Any

import pytest

from tests.organizations.cast import Tenant, make_tenant


@pytest.fixture
def acme(db: Any) -> Tenant:
    return make_tenant("Acme")


@pytest.fixture
def globex(db: Any) -> Tenant:
    """Another one, of other people."""
    return make_tenant("Globex")
