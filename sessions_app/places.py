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
    """English names; empty where nothing is known of the address."""
    if not (settings.GEOIP_PATH and address):
        return Place()
    found = _reader(settings.GEOIP_PATH).get(address) or {}
    return Place(city=_name(found, "city"), country=_name(found, "country"))


@cache
def _reader(path: str) -> Any:
    """An extra, so it is imported only where a database is named."""
    return import_module("maxminddb").open_database(path)


def _name(found: dict[str, Any], part: str) -> str:
    return str(found.get(part, {}).get("names", {}).get("en", ""))[:128]
