from rest_framework import views
from rest_framework.request import Request


class APIView(views.APIView):
    """Counts a signed-in caller before it asks what the caller may: a refusal costs
    a statement and an event as well. Who is not signed in is told that first.
    """

    def check_permissions(self, request: Request) -> None:
        if request.user.is_authenticated:
            super().check_throttles(request)
        super().check_permissions(request)

    def check_throttles(self, request: Request) -> None:
        if not request.user.is_authenticated:
            super().check_throttles(request)
