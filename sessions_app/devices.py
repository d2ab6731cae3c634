"""What a device is called, from what it says of itself."""

from functools import lru_cache

import ua_parser

from config.errors import ValidationFailed

MAXIMUM_DEVICE_ID = 255


@lru_cache(maxsize=1024)
def device_name(agent: str) -> str:
    """`Firefox on Windows`, or as much of it as the User-Agent tells."""
    if not agent:
        return ""
    result = ua_parser.parse(agent)
    client = result.user_agent.family if result.user_agent else ""
    system = result.os.family if result.os else ""
    device = result.device.family if result.device else ""
    where = device if device and device not in {"Other", "Mac"} else system
    name = " on ".join(part for part in (client, where) if part and part != "Other")
    return (name or agent)[:255]


def device_id(header: str) -> str:
    """X-Device-Id as it may be stored. Raises ValidationFailed."""
    if len(header) > MAXIMUM_DEVICE_ID or not header.isprintable():
        fault = {
            "code": "invalid",
            "message": "At most 255 printable characters.",
            "field": "X-Device-Id",
        }
        raise ValidationFailed(errors=[fault])
    return header
