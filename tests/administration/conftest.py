import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from tests.client import Api
from tests.conftest import SignIn
from tests.factories import make_superuser
from tests.organizations.cast import Tenant, make_tenant


@pytest.fixture
def boss(api: SignIn, root: User) -> Api:
    """A superuser's client."""
    return api(root)


@pytest.fixture
def second(root: User) -> User:
    """Another superuser."""
    return make_superuser(email="second@example.com", first_name="Second")


@pytest.fixture
def acme(root: User) -> Tenant:
    return make_tenant("Acme")


@pytest.fixture
def no_limits(settings: Settings) -> None:
    """Where there is no Redis, counting is a statement too."""
    settings.RATELIMIT_ENABLE = False
