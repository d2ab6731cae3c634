"""Where an address is, roughly, if the operator has a GeoIP database (GEOIP_PATH)."""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Place:
    city: str = ""
    country: str = ""


def locate(address: str) -> Place:
    """English names; empty where nothing is known, or the database is of another kind:
    an ornament must not stand in the way of a sign-in.
    """
    if not (settings.GEOIP_PATH and address):
        return Place()
    try:
        found = _reader(settings.GEOIP_PATH).get(address)
    except ValueError:
        # An IPv6 address and a database of IPv4 alone.
        return Place()
    return Place(city=_name(found, "city"), country=_name(found, "country"))


@cache
def _reader(path: str) -> Any:
    """An extra, so it is imported only where a database is named."""
    return import_module("maxminddb").open_database(path)


def _name(found: Any, part: str) -> str:
    for step in (part, "names", "en"):
        found = found.get(step, "") if isinstance(found, dict) else ""
    return str(found)[:128]
