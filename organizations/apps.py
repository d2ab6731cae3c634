from django.apps import AppConfig


class OrganizationsConfig(AppConfig):
    """Above accounts, below live sockets. Its guard against an organization without an
    owner will join `accounts.departures.guards` in `ready()`.
    """

    name = "organizations"
