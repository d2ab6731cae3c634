from django.apps import AppConfig
from django.utils.module_loading import import_string


class OrganizationsConfig(AppConfig):
    """Above accounts, below live sockets."""

    name = "organizations"

    def ready(self) -> None:
        # What accounts asks or tells goes through lists of its own, filled here.
        import_string("accounts.departures.stakes").append(
            import_string("organizations.owners.owned_by")
        )
        import_string("accounts.departures.guards").append(
            import_string("organizations.owners.hold_last_owners")
        )
        import_string("accounts.departures.farewells").append(
            import_string("organizations.services.forget_person")
        )
        import_string("accounts.arrivals.hosts").append(
            import_string("organizations.services.welcome_by_invitation")
        )
        import_string("accounts.exports.sections").update(
            memberships=import_string("organizations.exports.memberships"),
            invitations=import_string("organizations.exports.invitations"),
        )
