"""How many SQL statements a call takes, asked by hand of a server beside the others."""

from dataclasses import dataclass

from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.servers import Server, serving
from benchmarks.sides import Side
from benchmarks.wire import Tally, counting

# So many calls first: connections are open, statements prepared, uses noted.
WARM_CALLS = 7
CALLS = 5


@dataclass(frozen=True, slots=True)
class Talk:
    """For one call, on average."""

    statements: float
    round_trips: float
    connections: float


def talks(side: Side) -> dict[str, Talk]:
    with (
        counting(side.database_url) as (url, tally),
        serving(side, DATABASE_URL=url) as server,
    ):
        return {scenario.name: _talk(scenario, server, tally) for scenario in SCENARIOS}


def _talk(scenario: Scenario, server: Server, tally: Tally) -> Talk:
    token = _steps(scenario, server, scenario.token(server), WARM_CALLS)
    tally.reset()
    _steps(scenario, server, token, CALLS)
    return Talk(
        tally.statements / CALLS, tally.round_trips / CALLS, tally.connections / CALLS
    )


def _steps(scenario: Scenario, server: Server, token: str, number: int) -> str:
    for _ in range(number):
        token = scenario.step(server, token)
    return token
