"""What people do with their accounts, and what superusers do with people's."""

from accounts.services.administering import create_user, edit_user
from accounts.services.credentials import (
    change_password,
    set_password,
    sign_in,
    verify_credentials,
)
from accounts.services.exporting import export_account
from accounts.services.leaving import come_back, leave, purge_accounts, stay
from accounts.services.moving import (
    confirm_address,
    request_address_change,
    restore_address,
)
from accounts.services.people import (
    activate_users,
    change_in_bulk,
    deactivate_users,
    delete_user,
    restore_users,
    set_activity,
    update_rights,
)
from accounts.services.profiles import update_profile
from accounts.services.proving import confirm_password
from accounts.services.recovery import disown, request_password_reset, reset_password
from accounts.services.registration import (
    ensure_superuser,
    register_user,
    request_registration,
)
from accounts.services.tending import end_sessions_of, mail_reset_links, tend_profile
from accounts.services.verification import resend_verification, verify_email

__all__ = [
    "activate_users",
    "change_in_bulk",
    "change_password",
    "come_back",
    "confirm_address",
    "confirm_password",
    "create_user",
    "deactivate_users",
    "delete_user",
    "disown",
    "edit_user",
    "end_sessions_of",
    "ensure_superuser",
    "export_account",
    "leave",
    "mail_reset_links",
    "purge_accounts",
    "register_user",
    "request_address_change",
    "request_password_reset",
    "request_registration",
    "resend_verification",
    "reset_password",
    "restore_address",
    "restore_users",
    "set_activity",
    "set_password",
    "sign_in",
    "stay",
    "tend_profile",
    "update_profile",
    "update_rights",
    "verify_credentials",
    "verify_email",
]
