"""What ends a session anywhere ends its sockets everywhere, and no others."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass

import pytest
import redis

from limits.holds import HOLD_SECONDS
from tests import servers
from tests.live_servers import sockets
from tests.live_servers.calls import (
    PASSWORD,
    Answer,
    Pair,
    Person,
    ask,
    me,
    register,
    sign_in,
)
from tests.live_servers.conftest import Service
from tests.live_servers.sockets import HAS_REDIS, QUIET, Process, opened, serving
from tests.live_servers.tenants import arrive, found

needs_redis = pytest.mark.skipif(not HAS_REDIS, reason="redis-server is not installed")
NEW_PASSWORD = "walnut harbour sixteen lamps"
WITHIN = 1.0


@dataclass(frozen=True)
class Two:
    """Two servers on one database and a Redis of their own, since what is published in
    one database of a Redis is heard in all of them.
    """

    database: str
    a: Process
    b: Process
    redis_url: str

    @property
    def environment(self) -> dict[str, str]:
        return servers.environment(self.database, **QUIET | {"REDIS_URL": self.redis_url})


@pytest.fixture(scope="module")
def two(live_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("logs")
    with ExitStack() as stack:
        store = stack.enter_context(sockets.own_redis())
        a, b = (
            stack.enter_context(serving(live_database, folder, redis_url=store.url))
            for _ in range(2)
        )
        yield Two(live_database, a, b, store.url)
        assert sockets.errors(a.log) == sockets.errors(b.log) == []


@pytest.fixture
def person(two: Two) -> Person:
    return register(two.a.url)


def superuser(two: Two) -> str:
    """Its access token."""
    root = register(two.a.url)
    sql = "UPDATE accounts_user SET is_superuser = true WHERE email = ?"
    servers.rows(two.database, sql, root.email)
    return sign_in(two.a.url, root).access


# --- One end after the other -----------------------------------------------------------

Deed = Callable[[str, Person, Pair, Pair, str], Answer]
"""Done to the first device through the second, or by a superuser."""


def log_out(url: str, who: Person, first: Pair, second: Pair, root: str) -> Answer:
    return ask(url, "POST", "/auth/logout", {}, token=first.access)


def revoke(url: str, who: Person, first: Pair, second: Pair, root: str) -> Answer:
    listed = ask(url, "GET", "/sessions/me", token=first.access).json["sessions"]
    [current] = [session["id"] for session in listed if session["is_current"]]
    return ask(url, "DELETE", f"/sessions/{current}", token=second.access)


def revoke_others(url: str, who: Person, first: Pair, second: Pair, root: str) -> Answer:
    return ask(url, "DELETE", "/sessions/me/others", token=second.access)


def change_password(
    url: str, who: Person, first: Pair, second: Pair, root: str
) -> Answer:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    return ask(url, "PATCH", "/users/me/password", body, token=second.access)


def log_out_everywhere(
    url: str, who: Person, first: Pair, second: Pair, root: str
) -> Answer:
    return ask(url, "POST", "/auth/logout-all", token=second.access)


def deactivate(url: str, who: Person, first: Pair, second: Pair, root: str) -> Answer:
    return ask(url, "PATCH", f"/users/{who.id}", {"is_active": False}, token=root)


def deactivate_as_admin(
    url: str, who: Person, first: Pair, second: Pair, root: str
) -> Answer:
    return ask(url, "POST", f"/admin/users/{who.id}/deactivate", token=root)


def delete(url: str, who: Person, first: Pair, second: Pair, root: str) -> Answer:
    return ask(url, "DELETE", f"/users/{who.id}", token=root)


def steal(url: str, who: Person, first: Pair, second: Pair, root: str) -> Answer:
    """A refresh token of two rotations ago."""
    body = {"refresh_token": first.refresh}
    answer = ask(url, "POST", "/auth/refresh", body)
    newer = {"refresh_token": answer.json["refresh_token"]}
    ask(url, "POST", "/auth/refresh", newer)
    assert ask(url, "POST", "/auth/refresh", body).status == 401
    return answer


@needs_redis
@pytest.mark.parametrize(
    ("deed", "second_stays"),
    [
        (log_out, True),
        (revoke, True),
        (revoke_others, True),
        (steal, True),
        (change_password, True),
        (log_out_everywhere, False),
        (deactivate, False),
        (deactivate_as_admin, False),
        (delete, False),
    ],
)
async def test_sockets_in_the_other_process_end_within_a_second_and_no_others(
    two: Two, person: Person, deed: Deed, second_stays: bool
) -> None:
    first, second = sign_in(two.a.url, person), sign_in(two.a.url, person)
    stranger = sign_in(two.a.url, register(two.a.url))
    root = superuser(two)
    tokens = [first.access, first.access, second.access, stranger.access, root]
    async with (
        opened(two.b.url, *tokens) as there,
        opened(two.a.url, *tokens) as here,
    ):
        done = await asyncio.to_thread(deed, two.a.url, person, first, second, root)
        assert done.status in {200, 204}, done.body
        answered = time.monotonic()
        ending = {0, 1} if second_stays else {0, 1, 2}
        for clients in (there, here):
            for number in ending:
                assert await clients[number].ended() == 4401
                assert clients[number].reason == "session_ended"
                assert clients[number].closed_at - answered <= WITHIN
        await asyncio.sleep(0.3)
        staying = {0, 1, 2, 3, 4} - ending
        assert all(c[n].closed_at == 0 for c in (there, here) for n in staying)
        # And they still hear: nothing was cut but the line of those that ended.
        for number in staying:
            await there[number].say("ping")
            await there[number].told("pong")


@needs_redis
async def test_the_command_that_ends_all_sessions_ends_all_sockets(two: Two) -> None:
    tokens = [sign_in(two.a.url, register(two.a.url)).access for _ in range(3)]
    async with opened(two.a.url, *tokens) as here, opened(two.b.url, *tokens) as there:
        command = ["end_all_sessions"]
        await asyncio.to_thread(servers.manage, *command, environment=two.environment)
        returned = time.monotonic()
        for client in (*here, *there):
            assert await client.ended() == 4401
            assert client.closed_at - returned <= WITHIN
    fresh = sign_in(two.a.url, register(two.a.url)).access
    async with opened(two.b.url, fresh):
        pass


@needs_redis
async def test_a_change_of_password_by_command_reaches_sockets(
    two: Two, person: Person
) -> None:
    token = sign_in(two.a.url, person).access
    async with opened(two.b.url, token) as [client]:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "manage.py", "changepassword", person.email],
            cwd=servers.ROOT,
            env=two.environment,
            input=f"{NEW_PASSWORD}\n{NEW_PASSWORD}\n",
            capture_output=True,
            text=True,
            timeout=60,
            start_new_session=True,  # else it asks the terminal
        )
        assert done.returncode == 0, done.stderr
        assert await client.ended(WITHIN) == 4401


@needs_redis
async def test_a_lost_seat_ends_the_subscription_in_the_other_process(two: Two) -> None:
    service = Service(two.database, two.a.url, two.b.url, two.a.log)
    owner, member = await asyncio.to_thread(arrive, service, 2)
    tenant = await asyncio.to_thread(found, service, owner, member, role="member")
    async with opened(two.b.url, member.token, owner.token) as [one, other]:
        for client in (one, other):
            await client.say("subscribe", organization_id=tenant)
            await client.told("subscribed")
        path = f"/organizations/{tenant}/members/{member.id}"
        assert (await asyncio.to_thread(owner.ask, two.a.url, "DELETE", path)).status in {
            200,
            204,
        }
        await one.told("unsubscribed", 1, organization_id=tenant)
        await other.told("member.left", 1)
        name = {"name": "Watched again"}
        path = f"/organizations/{tenant}"
        await asyncio.to_thread(owner.ask, two.a.url, "PATCH", path, name)
        await other.told("organization.updated", 1)
        assert not any(f["type"] == "organization.updated" for f in one.frames)


# --- How many ---------------------------------------------------------------------------


@needs_redis
async def test_the_eleventh_socket_over_both_processes_is_refused(
    two: Two, person: Person
) -> None:
    token = sign_in(two.a.url, person).access
    async with AsyncExitStack() as stack:
        clients = []
        for number in range(10):
            url = (two.a.url, two.b.url)[number % 2]
            clients += await stack.enter_async_context(opened(url, token))
        for url in (two.a.url, two.b.url):
            async with opened(url, token, ready=False) as [eleventh]:
                assert await eleventh.ended() == 4429
                assert eleventh.reason == "too_many_sockets"
                assert eleventh.frames == []
        other = sign_in(two.a.url, register(two.a.url)).access
        async with opened(two.a.url, other):
            pass
        # One that closes makes room, in the other process too.
        await clients[0].line.close()
        await asyncio.sleep(0.3)
        async with opened(two.b.url, token):
            pass
        assert all(client.closed_at == 0 for client in clients[1:])


@needs_redis
async def test_of_thirty_at_once_over_both_processes_ten_get_in(
    two: Two, person: Person
) -> None:
    token = sign_in(two.a.url, person).access
    async with (
        opened(two.a.url, *[token] * 15, ready=False) as here,
        opened(two.b.url, *[token] * 15, ready=False) as there,
    ):
        clients = [*here, *there]
        await sockets.until(lambda: all(c.frames or c.closed_at for c in clients))
        await asyncio.sleep(0.3)
        let_in = [c for c in clients if c.frames and not c.closed_at]
        assert {c.code for c in clients if c.closed_at} == {4429}
        # Not all ten need to: those that wait count while they do. None too many.
        assert 1 <= len(let_in) <= 10


@needs_redis
async def test_a_killed_process_gives_back_what_it_held_by_itself(
    two: Two, person: Person, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The rest of HOLD_SECONDS is read off Redis instead of waited for."""
    token = sign_in(two.a.url, person).access
    folder = tmp_path_factory.mktemp("killed")
    with serving(two.database, folder, redis_url=two.redis_url) as third:
        async with opened(third.url, *[token] * 10) as clients:
            os.kill(third.pid, signal.SIGKILL)
            third.process.wait()
            assert {await client.ended() for client in clients} == {1006}
    async with opened(two.a.url, token, ready=False) as [refused]:
        assert await refused.ended() == 4429
    with redis.Redis.from_url(two.redis_url) as store:
        names = [name for name in store.scan_iter("holds:*") if store.zcard(name) == 10]
        assert len(names) >= 1
        now = store.time()[0]
        for name in names:
            ends = [end for _, end in store.zrange(name, 0, -1, withscores=True)]
            assert max(ends) - now <= HOLD_SECONDS
            assert 0 < store.ttl(name) <= HOLD_SECONDS
            # What time would do.
            store.zadd(name, dict.fromkeys(store.zrange(name, 0, -1), now - 1), xx=True)
    async with opened(two.a.url, *[token] * 10):
        pass


# --- Without Redis ----------------------------------------------------------------------


def test_without_redis_two_processes_are_warned_of_at_the_start(
    live_database: str,
) -> None:
    settings = servers.environment(live_database, REDIS_URL="", WEB_CONCURRENCY="2")
    done = servers_check(settings)
    assert "live.W001" in done
    assert "live.W001" not in servers_check(settings | {"WEB_CONCURRENCY": "1"})


def servers_check(settings: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=servers.ROOT,
        env=settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout + done.stderr


async def test_without_redis_the_other_process_finds_out_by_looking(
    live_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("alone")
    with (
        serving(live_database, folder) as a,
        serving(live_database, folder) as b,
    ):
        person = register(a.url)
        first, second = sign_in(a.url, person), sign_in(a.url, person)
        async with opened(b.url, first.access, second.access) as [ending, staying]:
            assert log_out(a.url, person, first, second, "").status == 200
            assert me(b.url, first.access) == 401
            assert await ending.ended(30) == 4401
            assert staying.closed_at == 0
        assert sockets.errors(a.log) == sockets.errors(b.log) == []
