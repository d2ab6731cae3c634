"""What is measured of one server by itself: start, memory, health under hashing."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median, quantiles

from benchmarks import people
from benchmarks.failures import Busy
from benchmarks.processes import memory_mib
from benchmarks.servers import Server, serving
from benchmarks.sides import Side

LOGINS = 100
PROBE_SECONDS = 0.01
# Health is asked so often before memory is read: what loads at first use is loaded.
FIRST_CALLS = 100


@dataclass(frozen=True, slots=True)
class Health:
    """While LOGINS sign-ins are under way, in milliseconds; how many probes, and how
    many sign-ins found the queue too slow and were told to come back.
    """

    median: float
    p99: float
    maximum: float
    probes: int
    login_seconds: float
    sent_away: int


@dataclass(frozen=True, slots=True)
class Start:
    """`memory`: in MiB, before anybody has signed in."""

    seconds: float
    memory: float


def start(side: Side, core: int) -> Start:
    with serving(side, core=core) as server:
        for _ in range(FIRST_CALLS):
            server.call("GET", "/health/live")
        return Start(server.start_seconds, memory_mib(server.pid))


def health_while_hashing(side: Side, core: int) -> Health:
    """Raises RunFailed unless every probe is answered, and every sign-in or sent away."""
    with serving(side, core=core) as server, ThreadPoolExecutor(LOGINS) as clients:
        begun = time.perf_counter()
        logins = [clients.submit(_sign_in, server, number) for number in range(LOGINS)]
        latencies = _probe(server, logins)
        used = time.perf_counter() - begun
        sent_away = sum(login.result() for login in logins)
    return Health(
        median=median(latencies),
        p99=quantiles(latencies, n=100)[-1] if len(latencies) > 1 else latencies[0],
        maximum=max(latencies),
        probes=len(latencies),
        login_seconds=used,
        sent_away=sent_away,
    )


def _sign_in(server: Server, number: int) -> bool:
    """Whether it was sent away."""
    try:
        server.sign_in(people.address(people.LISTERS + number))
    except Busy:
        return True
    return False


def _probe(server: Server, logins: list[Future[bool]]) -> list[float]:
    """One after the other, each on a connection of its own, until all are signed in."""
    latencies = []
    while not all(login.done() for login in logins):
        begun = time.perf_counter()
        server.call("GET", "/health/live")
        latencies.append((time.perf_counter() - begun) * 1000)
        time.sleep(PROBE_SECONDS)
    return latencies
