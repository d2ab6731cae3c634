from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class IsSelfOrSuperuser(BasePermission):
    """Another's is 403, known or not."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        own = view.kwargs["user_id"] == request.user.pk
        return own or bool(getattr(request.user, "is_superuser", False))
