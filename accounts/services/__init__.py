"""What people do with their accounts, and what superusers do with people's."""

from accounts.services.credentials import (
    change_password,
    set_password,
    sign_in,
    verify_credentials,
)
from accounts.services.people import (
    activate_users,
    deactivate_users,
    delete_user,
    set_activity,
    update_rights,
)
from accounts.services.profiles import update_profile
from accounts.services.registration import ensure_superuser, register_user

__all__ = [
    "activate_users",
    "change_password",
    "deactivate_users",
    "delete_user",
    "ensure_superuser",
    "register_user",
    "set_activity",
    "set_password",
    "sign_in",
    "update_profile",
    "update_rights",
    "verify_credentials",
]
