"""What a scenario has found: figures, and what of it was not as it must be."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import quantiles

from benchmarks.faults.calls import Answer
from benchmarks.faults.ledger import Account

# Of what went wrong, so many are shown.
SHOWN = 5


@dataclass
class Outcome:
    """`recovery` in seconds, None where nothing was gone. `wrong` are answers that were
    neither right nor the refusal that the fault allows.
    """

    scenario: str
    done: str
    requests: int = 0
    acknowledged: int = 0
    lost: int = 0
    wrong: int = 0
    recovery: float | None = None
    figures: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.failures

    def expect(self, text: str, *, holds: bool) -> None:
        """A figure that is judged."""
        (self.figures if holds else self.failures).append(text)

    def count(self, answers: Sequence[Answer], right: Callable[[Answer], bool]) -> None:
        """Every answer is judged by `right`, and each error's form with it (I4)."""
        wrong = [a for a in answers if not (right(a) and a.is_in_form)]
        self.requests += len(answers)
        self.wrong += len(wrong)
        if wrong:
            shown = "; ".join(answer.shown for answer in wrong[:SHOWN])
            self.failures.append(f"{len(wrong)} wrong answers: {shown}")

    def settle(self, account: Account) -> None:
        self.acknowledged += account.acknowledged
        self.lost += account.lost + account.forked
        for number, text in (
            (account.lost, "acknowledged writes not there exactly once (I1)"),
            (account.half, "unacknowledged writes half applied (I2)"),
            (account.forked, "sessions ended or forked (I3)"),
            (account.revived, "signed out sessions that let somebody in (I5)"),
        ):
            if number:
                self.failures.append(f"{number} {text}")


def percentile(values: Iterable[float], number: int) -> float:
    """By linear interpolation; of one value that value."""
    found = sorted(values)
    if len(found) == 1:
        return found[0]
    return quantiles(found, n=100, method="inclusive")[number - 1]


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
