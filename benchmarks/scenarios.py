"""What is asked of both sides, under load and once by hand."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import people
from benchmarks.failures import RunFailed
from benchmarks.load import Load, Sample, put
from benchmarks.processes import run_python
from benchmarks.servers import Server

LOGIN = "/api/v1/auth/login"
REFRESH = "/api/v1/auth/refresh"
# A stock sign-in takes a third of a second of a core, and several are under way.
LOGIN_SECONDS = 3
PAGE = 100


@dataclass(frozen=True, slots=True)
class Place:
    """Where a load comes from, and for how long."""

    seconds: int
    server_core: int | None
    client_core: int | None


class Scenario(ABC):
    name: str
    title: str
    # The ratio to stock that the project wants.
    wanted: float
    connections = 16
    threads = 1
    # Whether a short load comes before the first that counts. Signing in warms itself
    # by what the others need of it, and a chain by the sign-ins that begin it.
    warms = True

    @abstractmethod
    def load(self, server: Server, place: Place) -> Sample: ...

    @abstractmethod
    def step(self, server: Server, token: str) -> str:
        """One call by hand; the token for the next one."""

    def token(self, server: Server) -> str:
        """What the first step needs."""
        return ""

    def put(
        self, server: Server, place: Place, script: str, values: dict[str, str]
    ) -> Sample:
        load = Load(
            script,
            values,
            self.connections,
            self.threads,
            place.seconds,
            place.client_core,
        )
        return put(load, server.url)


class Reading(Scenario):
    path: str
    email = people.address(people.LISTERS)

    def load(self, server: Server, place: Place) -> Sample:
        token = self.token(server)
        self.check(server, token)
        values = {"BENCH_PATH": self.path, "BENCH_TOKEN": token}
        return self.put(server, place, "get.lua", values)

    def step(self, server: Server, token: str) -> str:
        server.call("GET", self.path, token=token)
        return token

    def token(self, server: Server) -> str:
        return server.sign_in(self.email).access

    def check(self, server: Server, token: str) -> None:
        """Raises RunFailed unless the answer is of the size that is compared."""


class Live(Reading):
    name, title, wanted = "health", "GET /health/live", 8.0
    path = "/health/live"

    def token(self, server: Server) -> str:
        return ""


class Me(Reading):
    name, title, wanted = "me", "GET /users/me", 5.0
    path = "/api/v1/users/me"


class Sessions(Reading):
    name, title, wanted = "sessions", "session list of 10", 4.5
    path = "/api/v1/sessions/me"

    def token(self, server: Server) -> str:
        return server.sign_in(people.address(next(server.side.listers))).access

    def check(self, server: Server, token: str) -> None:
        answer = server.call("GET", self.path, token=token)
        expect(len(server.side.sessions_in(answer)), people.SESSIONS)


class Users(Reading):
    name, title, wanted = "users", "list of 100 people", 4.5
    path = f"/api/v1/users?limit={PAGE}"
    email = people.SUPERUSER

    def check(self, server: Server, token: str) -> None:
        answer = server.call("GET", self.path, token=token)
        expect(len(server.side.users_in(answer)), PAGE)


class Login(Scenario):
    """Each run beside a run of the hash alone, on the server's core."""

    name, title, wanted = "login", "login", 7.0
    connections = 4
    warms = False

    def load(self, server: Server, place: Place) -> Sample:
        values = {
            "BENCH_PATH": LOGIN,
            "BENCH_PASSWORD": people.PASSWORD,
            "BENCH_FIRST": str(people.LISTERS),
            "BENCH_LAST": str(people.LAST),
        }
        longer = Place(
            max(place.seconds, LOGIN_SECONDS), place.server_core, place.client_core
        )
        return self.put(server, longer, "login.lua", values)

    def step(self, server: Server, token: str) -> str:
        # Nobody's whom other scenarios sign in: a surplus of sessions ends the oldest.
        server.sign_in(people.address(people.LAST))
        return token


class Refresh(Scenario):
    """A chain for each connection, each of another person."""

    name, title, wanted = "refresh", "refresh", 4.0
    threads = Scenario.connections
    warms = False

    def load(self, server: Server, place: Place) -> Sample:
        with TemporaryDirectory(prefix="bench-") as folder:
            tokens = Path(folder) / "tokens"
            chains = [self.chain(server, number) for number in range(self.connections)]
            tokens.write_text("\n".join(chains))
            values = {
                "BENCH_PATH": REFRESH,
                "BENCH_FIELD": server.side.refresh,
                "BENCH_TOKENS": str(tokens),
            }
            return self.put(server, place, "refresh.lua", values)

    def step(self, server: Server, token: str) -> str:
        return server.refresh(token)

    def token(self, server: Server) -> str:
        return self.chain(server, 0)

    def chain(self, server: Server, number: int) -> str:
        return server.sign_in(people.address(people.LISTERS + number)).refresh


SCENARIOS: tuple[Scenario, ...] = (
    Live(),
    Me(),
    Sessions(),
    Users(),
    Login(),
    Refresh(),
)


def expect(found: int, wanted: int) -> None:
    if found != wanted:
        raise RunFailed(f"A list of {wanted} has {found}.")


def hashes_alone(server: Server, place: Place) -> float:
    arguments = f"-m benchmarks.hashing {place.seconds}"
    environment = server.side.environment()
    return float(run_python(arguments, environment, core=place.server_core))
