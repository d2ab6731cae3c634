from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """Django's own, known by mail address, with what our answer about a person has."""

    email = models.EmailField(unique=True)
    phone_number = models.CharField(max_length=15, blank=True)
    locale = models.CharField(max_length=35, blank=True)
    email_verified = models.BooleanField(default=False)
    preferences = models.JSONField(default=dict, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["username"]

    class Meta:
        indexes = [models.Index(fields=["date_joined", "id"], name="by_age")]


class DeviceSession(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    device_name = models.CharField(max_length=255, blank=True)
    device_id = models.CharField(max_length=255, blank=True)
    ip_address = models.GenericIPAddressField(null=True)
    location_city = models.CharField(max_length=128, blank=True)
    location_country = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(auto_now=True)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["DeviceSession"]] = models.Manager()

    def __str__(self) -> str:
        return self.device_name
