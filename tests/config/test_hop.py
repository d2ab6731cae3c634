"""From the loop to Django's threads and back: queue, slots, deadline, streams, faults."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
)
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from pytest_django.fixtures import Settings

from config import context
from config.asgi_types import Message
from config.edge import Edge
from config.errors import Conflict
from config.hop import Hop
from tests.config.conftest import Log
from tests.config.exchanges import END, GONE, Exchange, part, scope
from tests.config.refusals import refused

# --- The service under test: a few views that wait, fail and stream ------------------

PATIENCE_SECONDS = 10


class Door:
    """Where a view waits until a test lets it through."""

    def __init__(self) -> None:
        self.shut()

    def shut(self) -> None:
        self.opened = threading.Event()
        self.inside = 0
        self.closed: list[str] = []
        self.threads: set[int] = set()


door = Door()


@csrf_exempt
def waits(_: HttpRequest) -> HttpResponse:
    door.inside += 1
    door.opened.wait(PATIENCE_SECONDS)
    return HttpResponse("through")


def quick(_: HttpRequest) -> HttpResponse:
    door.threads.add(threading.get_ident())
    return HttpResponse("quick")


FAULTS: dict[str, Exception] = {
    "runtime": RuntimeError("secret words of the inside"),
    "recursion": RecursionError("secret words of the inside"),
    "memory": MemoryError("secret words of the inside"),
    "stop": StopIteration("secret words of the inside"),
    "timeout": TimeoutError("secret words of the inside"),
    "domain": Conflict(),
    "database": OperationalError("secret words of the inside"),
    "missing": Http404("secret words of the inside"),
    "denied": PermissionDenied("secret words of the inside"),
    "suspicious": SuspiciousOperation("secret words of the inside"),
    "bad": BadRequest("secret words of the inside"),
    "large": RequestDataTooBig("secret words of the inside"),
    "fields": TooManyFieldsSent("secret words of the inside"),
}


def fails(_: HttpRequest, kind: str) -> HttpResponse:
    raise FAULTS[kind]


def changes_context(_: HttpRequest) -> HttpResponse:
    translation.activate("it")
    context.remember_session(uuid4())
    return HttpResponse()


def tells_context(_: HttpRequest) -> HttpResponse:
    here = context.current()
    told = [translation.get_language(), str(here.session_id), here.request_id]
    return HttpResponse(json.dumps(told))


@csrf_exempt
def echoes(request: HttpRequest) -> HttpResponse:
    answer = HttpResponse(request.body)
    answer["X-Length"] = request.META["CONTENT_LENGTH"]
    answer.set_cookie("a", "1")
    answer.set_cookie("b", "2")
    return answer


def chunks(number: int, fault: Exception | None = None) -> Iterator[bytes]:
    """Ends by itself in any case, so that nothing a test breaks lasts for ever."""
    began = time.monotonic()
    try:
        for count in range(number):
            door.threads.add(threading.get_ident())
            yield b"%d;" % count
            if time.monotonic() - began > PATIENCE_SECONDS:
                door.closed.append("by itself")
                return
        if fault:
            raise fault
    finally:
        door.closed.append("closed")


def streams(_: HttpRequest, number: int) -> StreamingHttpResponse:
    return StreamingHttpResponse(chunks(number), content_type="text/plain")


def breaks(_: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(chunks(3, FAULTS["runtime"]))


# The console's page among them: a sign-in there costs a hash as well.
HASHING = [
    ("POST", "/api/v1/auth/register"),
    ("POST", "/api/v1/auth/login"),
    ("POST", "/api/v1/auth/login/oauth"),
    ("POST", "/api/v1/auth/password-reset/confirm"),
    ("POST", "/api/v1/users/me/email"),
    ("PATCH", "/api/v1/users/me/password"),
    ("DELETE", "/api/v1/users/me"),
    ("POST", "/admin/login/"),
]
urlpatterns = [
    *(path(address.lstrip("/"), waits) for _, address in HASHING),
    path("waits", waits),
    path("quick", quick),
    path("fails/<str:kind>", fails),
    path("changes-context", changes_context),
    path("tells-context", tells_context),
    path("echoes", echoes),
    path("streams/<int:number>", streams),
    path("breaks", breaks),
]
handler400 = "config.api.problems.bad_request"
handler403 = "config.api.problems.permission_denied"
handler404 = "config.api.problems.not_found"
handler500 = "config.api.problems.server_error"


# --- Served in this process, by threads of its own -----------------------------------


class Service:
    def __init__(self) -> None:
        self.hop = Hop()
        self.application = Edge(self.hop)

    async def ask(self, path: str, method: str = "GET", **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.application)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://testserver"
        ) as client:
            return await client.request(method, path, **more)

    async def run(self, exchange: Exchange, path: str, method: str = "GET") -> None:
        await exchange.run(self.application, scope(method, path))


@pytest.fixture
def make(settings: Settings) -> Iterator[Callable[..., Service]]:
    """`make(WEB_THREADS=1)`: a service under these settings."""
    settings.ROOT_URLCONF = __name__
    services: list[Service] = []
    door.shut()

    def make(**changes: object) -> Service:
        for name, value in changes.items():
            setattr(settings, name, value)
        services.append(Service())
        return services[-1]

    yield make
    door.opened.set()
    for service in services:
        service.hop.threads.shutdown()


async def until(happened: Callable[[], object]) -> None:
    """Waits for a fact; an AssertionError where it never comes."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


# --- Faults --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["runtime", "recursion", "memory", "stop", "timeout", "domain", "database"]
)
async def test_what_a_view_raises_is_told_to_the_log_alone(
    make: Callable[..., Service], log: Log, kind: str
) -> None:
    """Checks 209: under the id that the client got; the thread serves on."""
    service = make(WEB_THREADS=1)
    answer = await service.ask(f"/fails/{kind}")
    refused(answer, 500, "internal_error")
    assert "secret words" not in answer.text + str(answer.headers)
    [crash] = log.of("Internal Server Error")
    assert crash["request_id"] == answer.headers["X-Request-ID"]
    assert type(FAULTS[kind]).__name__ in crash["exception"]
    assert "in fails" in crash["exception"]
    assert (await service.ask("/quick")).text == "quick"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("missing", 404),
        ("denied", 403),
        ("suspicious", 400),
        ("bad", 400),
        ("large", 400),
        ("fields", 400),
    ],
)
async def test_djangos_own_refusals_have_our_form(
    make: Callable[..., Service], kind: str, status: int
) -> None:
    answer = await make().ask(f"/fails/{kind}")
    refused(answer, status)
    assert "secret words" not in answer.text


async def test_a_crash_is_one_line_with_its_traceback_in_it(
    make: Callable[..., Service], log: Log
) -> None:
    await make().ask("/fails/runtime")
    lines = log.text.splitlines()
    assert sum("Traceback" in line for line in lines) == 1
    assert all(line["request_id"] for line in log.lines if line["logger"] == "edge")


# --- One request leaves nothing to the next ------------------------------------------


async def test_a_context_does_not_stay_on_the_thread(
    make: Callable[..., Service],
) -> None:
    service = make(WEB_THREADS=1)
    await service.ask("/changes-context")
    answer = await service.ask("/tells-context")
    request_id = answer.headers["X-Request-ID"]
    assert answer.json() == ["en", "None", request_id]


async def test_requests_at_once_keep_their_own_context(
    make: Callable[..., Service],
) -> None:
    service = make(WEB_THREADS=4)
    ids = [str(uuid4()) for _ in range(40)]
    answers = await asyncio.gather(
        *(service.ask("/tells-context", headers={"X-Request-ID": i}) for i in ids)
    )
    assert [answer.json()[2] for answer in answers] == ids


async def test_threads_are_few_and_stay(make: Callable[..., Service]) -> None:
    service = make(WEB_THREADS=3)
    answers = await asyncio.gather(*(service.ask("/quick") for _ in range(60)))
    assert {answer.status_code for answer in answers} == {200}
    assert 1 <= len(door.threads) <= 3
    assert threading.get_ident() not in door.threads


async def test_a_body_in_parts_arrives_whole_and_with_its_length(
    make: Callable[..., Service],
) -> None:
    exchange = Exchange([part(b"one "), part(b""), part(b"two"), END])
    await make().run(exchange, "/echoes", "POST")
    answer = exchange.answer
    assert (answer.content, answer.headers["X-Length"]) == (b"one two", "7")
    assert answer.headers["Content-Length"] == "7"
    cookies = answer.headers.get_list("Set-Cookie")
    assert [cookie.split(";")[0] for cookie in cookies] == ["a=1", "b=2"]


@pytest.mark.parametrize("parts", [[GONE], [part(b"half"), GONE]])
async def test_a_client_that_goes_while_it_sends_is_not_served(
    make: Callable[..., Service], log: Log, parts: list[Message]
) -> None:
    service = make(WEB_THREADS=1)
    exchange = Exchange(parts)
    await service.run(exchange, "/waits", "POST")
    assert (exchange.sent, door.inside) == ([], 0)
    assert not log.of("request_crashed")
    assert (await service.ask("/quick")).status_code == 200


# --- The queue -----------------------------------------------------------------------


async def test_a_full_queue_is_503_at_once(make: Callable[..., Service]) -> None:
    service = make(WEB_THREADS=1, QUEUE_LENGTH=2)
    begun = [asyncio.create_task(service.ask("/waits")) for _ in range(3)]
    await until(lambda: door.inside and service.hop.slots.waiting == 2)
    refusal = await service.ask("/waits")
    refused(refusal, 503, "unavailable")
    assert int(refusal.headers["Retry-After"]) >= 1
    door.opened.set()
    answers = await asyncio.gather(*begun)
    assert [answer.text for answer in answers] == ["through"] * 3


async def test_nobody_waits_longer_than_the_queue_allows(
    make: Callable[..., Service],
) -> None:
    service = make(WEB_THREADS=1, QUEUE_DEADLINE=timedelta(milliseconds=30))
    first = asyncio.create_task(service.ask("/waits"))
    await until(lambda: door.inside)
    refused(await service.ask("/quick"), 503, "unavailable")
    door.opened.set()
    assert (await first).status_code == 200
    assert (await service.ask("/quick")).status_code == 200


async def test_those_who_stop_waiting_take_no_place_with_them(
    make: Callable[..., Service],
) -> None:
    service = make(WEB_THREADS=1, QUEUE_LENGTH=3)
    first = asyncio.create_task(service.ask("/waits"))
    await until(lambda: door.inside)
    for _ in range(5):
        waiting = [asyncio.create_task(service.ask("/quick")) for _ in range(3)]
        await until(lambda: service.hop.slots.waiting == 3)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    door.opened.set()
    assert (await first).status_code == 200
    assert (await service.ask("/quick")).status_code == 200
    assert door.inside == 1


# --- Hashing -------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "address"), HASHING)
async def test_sign_ins_leave_threads_for_everybody_else(
    make: Callable[..., Service], method: str, address: str
) -> None:
    """S16: a storm of them takes two of four threads."""
    service = make(WEB_THREADS=4)
    storm = [asyncio.create_task(service.ask(address, method)) for _ in range(8)]
    await until(lambda: door.inside == 2)
    answers = await asyncio.gather(*(service.ask("/quick") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert door.inside == 2
    door.opened.set()
    assert {answer.status_code for answer in await asyncio.gather(*storm)} == {200}


async def test_kinds_of_sign_in_share_what_they_may_take(
    make: Callable[..., Service],
) -> None:
    service = make(WEB_THREADS=4)
    storm = [asyncio.create_task(service.ask(a, m)) for m, a in HASHING]
    await until(lambda: door.inside == 2)
    assert (await service.ask("/quick")).status_code == 200
    assert door.inside == 2
    door.opened.set()
    await asyncio.gather(*storm)


async def test_reading_where_a_password_is_hashed_otherwise_waits_for_nobody(
    make: Callable[..., Service],
) -> None:
    """`GET /users/me` is the hot path; `DELETE` there hashes."""
    service = make(WEB_THREADS=4)
    reads = [asyncio.create_task(service.ask("/api/v1/users/me")) for _ in range(4)]
    await until(lambda: door.inside == 4)
    door.opened.set()
    assert {answer.status_code for answer in await asyncio.gather(*reads)} == {200}


@pytest.mark.parametrize(("threads", "hashing"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 6)])
async def test_one_may_always_sign_in(
    make: Callable[..., Service], threads: int, hashing: int
) -> None:
    service = make(WEB_THREADS=threads)
    storm = [
        asyncio.create_task(service.ask("/api/v1/auth/login", "POST")) for _ in range(9)
    ]
    await until(lambda: door.inside == hashing)
    door.opened.set()
    assert {answer.status_code for answer in await asyncio.gather(*storm)} == {200}


async def test_a_storm_of_sign_ins_fills_its_own_queue_only(
    make: Callable[..., Service],
) -> None:
    service = make(WEB_THREADS=3, QUEUE_LENGTH=2)
    storm = [
        asyncio.create_task(service.ask("/api/v1/auth/login", "POST")) for _ in range(10)
    ]
    await until(lambda: sum(task.done() for task in storm) == 7)
    assert (await service.ask("/quick")).status_code == 200
    door.opened.set()
    statuses = [answer.status_code for answer in await asyncio.gather(*storm)]
    assert (statuses.count(200), statuses.count(503)) == (3, 7)


async def test_a_sign_in_refused_by_the_common_queue_gives_its_slot_back(
    make: Callable[..., Service],
) -> None:
    service = make(WEB_THREADS=1, QUEUE_DEADLINE=timedelta(milliseconds=30))
    first = asyncio.create_task(service.ask("/waits"))
    await until(lambda: door.inside)
    for _ in range(3):
        refused(await service.ask("/api/v1/auth/login", "POST"), 503)
    door.opened.set()
    await first
    assert (await service.ask("/api/v1/auth/login", "POST")).status_code == 200


# --- The deadline --------------------------------------------------------------------


async def test_past_the_deadline_503_and_the_slot_returns_with_the_thread(
    make: Callable[..., Service],
) -> None:
    service = make(
        WEB_THREADS=1,
        REQUEST_DEADLINE=timedelta(milliseconds=200),
        QUEUE_DEADLINE=timedelta(milliseconds=20),
    )
    late = Exchange()
    await service.run(late, "/waits")
    refused(late.answer, 503, "unavailable")
    assert int(late.answer.headers["Retry-After"]) >= 1
    # The thread is still in the view, so there is no room for another.
    refused(await service.ask("/quick"), 503, "unavailable")
    door.opened.set()
    await until(lambda: not service.hop.slots.semaphore.locked())
    assert (await service.ask("/quick")).status_code == 200
    assert [message["type"] for message in late.sent].count("http.response.start") == 1


async def test_many_deadlines_lose_no_slot(make: Callable[..., Service]) -> None:
    service = make(WEB_THREADS=4, REQUEST_DEADLINE=timedelta(milliseconds=50))
    late = await asyncio.gather(
        *(service.ask("/api/v1/auth/login", "POST") for _ in range(9)),
        *(service.ask("/waits") for _ in range(9)),
    )
    assert {answer.status_code for answer in late} == {503}
    door.opened.set()
    await until(lambda: service.hop.slots.semaphore._value == 4)
    await until(lambda: service.hop.hashing_slots.semaphore._value == 2)
    assert (await service.ask("/quick")).status_code == 200


# --- Streams -------------------------------------------------------------------------


async def test_a_stream_comes_whole_from_one_thread(make: Callable[..., Service]) -> None:
    answer = await make(WEB_THREADS=4).ask("/streams/200")
    assert answer.text == "".join(f"{number};" for number in range(200))
    assert answer.headers["Content-Type"] == "text/plain"
    assert "Content-Length" not in answer.headers
    assert len(door.threads) == 1
    assert door.closed == ["closed"]


async def test_an_empty_stream_is_an_answer(make: Callable[..., Service]) -> None:
    answer = await make().ask("/streams/0")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_stream_that_fails_is_broken_off_and_logged(
    make: Callable[..., Service], log: Log
) -> None:
    service, exchange = make(WEB_THREADS=1), Exchange()
    with pytest.raises(ConnectionAbortedError):
        await service.run(exchange, "/breaks")
    assert exchange.answer.content == b"0;1;2;"
    assert exchange.sent[-1]["more_body"]
    [crash] = log.of("request_crashed")
    assert "secret words of the inside" in crash["exception"]
    assert crash["request_id"] == exchange.answer.headers["X-Request-ID"]
    assert (await service.ask("/quick")).status_code == 200


async def test_a_reader_that_goes_away_ends_the_stream(
    make: Callable[..., Service],
) -> None:
    service = make(WEB_THREADS=1)

    async def lost(message: Message) -> None:
        """As ASGI servers report it since version 2.4."""
        if message.get("body", b"").startswith(b"3"):
            raise OSError("the client has gone")

    with suppress(ConnectionAbortedError):
        await service.run(Exchange(send=lost), "/streams/1000000000")
    await until(lambda: door.closed)
    assert (await service.ask("/quick")).status_code == 200
    assert door.closed == ["closed"]


async def test_a_reader_that_does_not_read_holds_no_thread(
    make: Callable[..., Service],
) -> None:
    service = make(WEB_THREADS=1, REQUEST_DEADLINE=timedelta(milliseconds=100))
    stuck = asyncio.Event()

    async def full(message: Message) -> None:
        if message.get("body", b"").startswith(b"3"):
            await stuck.wait()

    with pytest.raises(ConnectionAbortedError):
        await service.run(Exchange(send=full), "/streams/1000000000")
    await until(lambda: door.closed)
    assert door.closed == ["closed"]
    assert (await service.ask("/quick")).status_code == 200
    stuck.set()


async def test_slow_readers_hold_up_nobody_but_other_readers(
    make: Callable[..., Service],
) -> None:
    service, stuck = make(WEB_THREADS=1), asyncio.Event()

    async def full(message: Message) -> None:
        if message.get("body", b"").startswith(b"3"):
            await stuck.wait()

    reading = [
        asyncio.create_task(service.run(Exchange(send=full), "/streams/5"))
        for _ in range(4)
    ]
    await until(lambda: service.hop.stream_slots.waiting)
    assert (await service.ask("/quick")).status_code == 200
    stuck.set()
    await asyncio.gather(*reading)
    assert door.closed == ["closed"] * 4


async def test_a_stream_goes_on_for_as_long_as_it_is_read(
    make: Callable[..., Service],
) -> None:
    service = make(REQUEST_DEADLINE=timedelta(milliseconds=200))

    async def slow(message: Message) -> None:
        await asyncio.sleep(0.05)

    exchange = Exchange(send=slow)
    await service.run(exchange, "/streams/10")
    assert exchange.answer.content == b"0;1;2;3;4;5;6;7;8;9;"


async def test_who_hangs_up_is_noticed_between_two_pieces(
    make: Callable[..., Service], log: Log
) -> None:
    service = make(WEB_THREADS=1)
    exchange = Exchange((END, GONE))
    await service.run(exchange, "/streams/1000000000")
    assert door.closed == ["closed"]
    assert log.of("reader_gone")
    assert not log.of("request_crashed")


async def test_a_stream_without_an_end_ends_with_its_own_deadline(
    make: Callable[..., Service],
) -> None:
    service = make(WEB_THREADS=1, STREAM_DEADLINE=timedelta(milliseconds=100))
    exchange = Exchange()
    with suppress(ConnectionAbortedError):
        await service.run(exchange, "/streams/1000000000")
    await until(lambda: door.closed)
    assert door.closed == ["closed"]
    assert exchange.sent[-1].get("more_body")
    assert (await service.ask("/quick")).status_code == 200
