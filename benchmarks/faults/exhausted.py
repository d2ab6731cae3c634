"""S5: every thread waits for the database, and 200 more calls want one."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.faults.calls import OK, UNAVAILABLE, Answer, call
from benchmarks.faults.crowd import Person, gather
from benchmarks.faults.ledger import Ledger
from benchmarks.faults.outcome import Outcome, milliseconds
from benchmarks.faults.probes import LIVE, Probe, health
from benchmarks.faults.service import CONNECTIONS, NAME, Bench, Service
from benchmarks.faults.stage import Rest

AT_ONCE = 200
WORKERS = 2
SLEEP_SECONDS = 3
LOCK_SECONDS = 7
LIVE_SECONDS = 0.3
NORMAL_SECONDS = 2.0
# The queue's deadline and then a statement that sleeps, or waits for its lock in vain;
# and some for two hundred clients on the same machine.
ANSWER_SECONDS = 5 + 3 + 1
RECONCILED = 20

SLOW = f"""
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_sleep({SLEEP_SECONDS}); RETURN NULL; END';
    CREATE TRIGGER slow BEFORE INSERT ON organizations_organization
        FOR EACH STATEMENT EXECUTE FUNCTION slow();
"""
QUICK = "DROP FUNCTION slow CASCADE"
LOCK = "LOCK TABLE accounts_user IN ACCESS EXCLUSIVE MODE"
OPEN = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{NAME}'"  # noqa: S608  # a constant of ours


def run(bench: Bench, _: int) -> Outcome:
    outcome = Outcome(
        "S5",
        f"{AT_ONCE} calls at once, each with `pg_sleep({SLEEP_SECONDS})`; then {AT_ONCE}"
        f" reads of a table that is locked for {LOCK_SECONDS} s",
    )
    with bench.serving(WORKERS) as service:
        crowd = gather(service.port, AT_ONCE)
        rest, ledger = Rest(bench, service), Ledger()
        with health(lambda: service.port, LIVE) as live:
            slept, first = _asleep(bench, service, crowd, ledger)
            locked, second = _locked(bench, service, crowd)
        _judge(outcome, slept, locked)
        _judge_service(outcome, bench, live, [first, second])
        with bench.postgres.connect() as database:
            account = ledger.reconcile(database, service.port, crowd[:RECONCILED])
        outcome.settle(account)
        rest.check(outcome)
    return outcome


def _asleep(
    bench: Bench, service: Service, crowd: list[Person], ledger: Ledger
) -> tuple[list[Answer], float]:
    """The answers, and how long the next read took."""

    def found(person: Person) -> Answer:
        name = f"Engines {secrets.token_hex(6)}"
        wanted = person.post("/organizations", {"name": name})
        answer = call(service.port, wanted, kind="organization")
        ledger.note("organization", name, answer)
        return answer

    with bench.postgres.connect() as database:
        database.execute(SLOW)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(found, crowd))
        database.execute(QUICK)
    return answers, _back(service, crowd[0])


def _locked(
    bench: Bench, service: Service, crowd: list[Person]
) -> tuple[list[Answer], float]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        with bench.postgres.connect() as database, database.transaction():
            database.execute(LOCK)
            asked = [pool.submit(call, service.port, p.me(), kind="me") for p in crowd]
            time.sleep(LOCK_SECONDS)
        back = _back(service, crowd[0])
    return [answer.result() for answer in asked], back


def _back(service: Service, person: Person) -> float:
    """How long from now until somebody gets what was asked for."""
    began = time.monotonic()
    while call(service.port, person.me()).status != OK:
        time.sleep(0.02)
    return time.monotonic() - began


def _judge(outcome: Outcome, slept: list[Answer], locked: list[Answer]) -> None:
    outcome.count([*slept, *locked], lambda a: a.succeeded or a.asks_to_come_again)
    slowest = max(answer.seconds for answer in [*slept, *locked])
    outcome.expect(
        f"slowest answer {slowest:.1f} s: at most 5 s in the queue, 3 s in a statement",
        holds=slowest <= ANSWER_SECONDS,
    )
    made = sum(answer.succeeded for answer in slept)
    refused = [sum(a.status == UNAVAILABLE for a in each) for each in (slept, locked)]
    outcome.figures.append(
        f"asleep: {made} done, {refused[0]} times 503 with Retry-After;"
        f" locked: {refused[1]} times 503"
    )


def _judge_service(
    outcome: Outcome, bench: Bench, live: Probe, backs: list[float]
) -> None:
    outcome.recovery = max(backs)
    outcome.expect(
        f"a read is answered {outcome.recovery:.2f} s after the release",
        holds=outcome.recovery <= NORMAL_SECONDS,
    )
    outcome.expect(
        f"live: {len(live.answers)} times 200, slowest {milliseconds(live.slowest)}",
        holds=live.all_well and live.slowest <= LIVE_SECONDS,
    )
    # Threads keep theirs, so that behind the burst all of them are there.
    with bench.postgres.connect() as database:
        row = database.execute(OPEN).fetchone()
    held = int(str(row[0])) if row else 0
    text = f"{held} connections of {WORKERS * CONNECTIONS} at most"
    outcome.expect(text, holds=held <= WORKERS * CONNECTIONS)
