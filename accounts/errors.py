from config.errors import DomainError


class InvalidCredentials(DomainError):
    status = 401
    code = "invalid_credentials"
    message = "The email address or the password is wrong."


class RegistrationRefused(DomainError):
    """Says nothing of whether the address is known."""

    status = 400
    code = "registration_refused"
    message = "This registration could not be completed."


class WrongPassword(DomainError):
    status = 403
    code = "wrong_password"
    message = "The current password is wrong."


class OwnAccount(DomainError):
    status = 403
    code = "own_account"
    message = "You cannot do this to your own account."


class LastSuperuser(DomainError):
    status = 409
    code = "last_superuser"
    message = "There must always be an active superuser."


class LastOwner(DomainError):
    """With `organizations`: those that would be left without an active owner."""

    status = 409
    code = "last_owner"
    message = "An organization would be left without an active owner."


class EmailNotVerified(DomainError):
    """Said only to the right password."""

    status = 403
    code = "email_not_verified"
    message = "This address is not verified yet: open the link in the mail sent to it."


class LinkInvalid(DomainError):
    """A link or code that is spent, expired, replaced or was never ours."""

    status = 400
    code = "link_invalid"
    message = "This link or code is not valid, or not any more. Ask for a new one."


class AddressTaken(DomainError):
    status = 409
    code = "address_taken"
    message = "This address belongs to another account."


class InvitationInvalid(DomainError):
    """Spent, expired, revoked, replaced, of somebody who may invite no more, or never
    ours: one answer.
    """

    status = 404
    code = "invitation_invalid"
    message = "This invitation is not valid, or not any more. Ask for a new one."


class InvitationForAnother(DomainError):
    status = 403
    code = "invitation_for_another"
    message = "This invitation is for another address."
