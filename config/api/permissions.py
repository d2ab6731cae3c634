from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView


class IsSuperuser(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(getattr(request.user, "is_superuser", False))


# Of everything under /admin.
SUPERUSERS_ONLY = [IsAuthenticated, IsSuperuser]
