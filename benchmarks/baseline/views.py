from typing import cast

from django.db.models import QuerySet
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from rest_framework.generics import ListAPIView
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ReadOnlyModelViewSet
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from benchmarks.baseline.models import DeviceSession, User
from benchmarks.baseline.serializers import DeviceSessionSerializer, UserSerializer


def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "alive"})


class LoginView(TokenObtainPairView):
    throttle_scope = "login"


class RefreshView(TokenRefreshView):
    throttle_scope = "refresh"


class MeView(APIView):
    def get(self, request: Request) -> Response:
        return Response(UserSerializer(cast(User, request.user)).data)


class MySessionsView(ListAPIView[DeviceSession]):
    throttle_scope = "sessions"
    serializer_class = DeviceSessionSerializer

    def get_queryset(self) -> QuerySet[DeviceSession]:
        return DeviceSession.objects.filter(
            user_id=self.request.user.pk, ended_at=None, expires_at__gt=timezone.now()
        ).order_by("-last_used_at", "-id")


class Pages(PageNumberPagination):
    page_size = 100


class UserViewSet(ReadOnlyModelViewSet[User]):
    permission_classes = [IsAdminUser]
    queryset = User.objects.order_by("date_joined", "id")
    serializer_class = UserSerializer
    pagination_class = Pages
