"""The throttle of every call that has a limit: counted before any work."""

from typing import TYPE_CHECKING, Any

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from config.api.methods import answered_as
from limits import rates

if TYPE_CHECKING:
    # DRF loads this module, by its settings, while it makes that class.
    from rest_framework.views import APIView


class LimitThrottle(BaseThrottle):
    """Reads `limits` of the view: {"POST": "login"} names an entry of RATE_LIMITS.

    Counted per signed-in user where there is one, else per client address.
    """

    remaining: int | None = None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        name = getattr(view, "limits", {}).get(answered_as(request))
        if name is None:
            return True
        self.remaining = rates.excess(name, subject(request))
        return self.remaining is None

    def wait(self) -> float | None:
        return self.remaining


def subject(request: Request) -> str:
    user: Any = request.user
    if user.is_authenticated:
        return f"user:{user.pk}"
    return rates.from_here()
