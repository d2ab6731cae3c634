from config.errors import DomainError


class UnknownMessage(DomainError):
    status = 422
    code = "unknown_message"
    message = "Messages of this type are not understood here."


class ResumeGap(DomainError):
    status = 410
    code = "resume_gap"
    message = "What happened since is too much or too long ago. Load everything anew."


class TooManySockets(DomainError):
    status = 429
    code = "too_many_sockets"
    message = "Too many sockets are open. Close one first."


class TooManySubscriptions(DomainError):
    code = "too_many_subscriptions"
    message = "This socket follows as many organizations as it may."


class MessageTooLarge(DomainError):
    status = 413
    code = "message_too_large"
    message = "The message is too large."


class TooSlow(DomainError):
    status = 408
    code = "too_slow"
    message = "What was sent is not being read."
