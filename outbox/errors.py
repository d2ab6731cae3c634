from config.errors import DomainError


class MailNotDead(DomainError):
    code = "mail_not_dead"
    message = "Only mails that were given up, and are still of use, can be sent again."
