"""Follows the live events: live_client.py <service> <access token> [organization …]"""

import asyncio
import json
import sys

import websockets


async def follow(service: str, token: str, organizations: list[str]) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    address = service.replace("http", "ws", 1) + "/ws/v1/events"
    async with websockets.connect(
        address, origin=websockets.Origin(service), additional_headers=headers
    ) as socket:
        for organization in organizations:
            frame = {"type": "subscribe", "organization_id": organization}
            await socket.send(json.dumps(frame))
        async for text in socket:
            sys.stdout.write(f"{text!s}\n")


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[1], sys.argv[2], sys.argv[3:]))
