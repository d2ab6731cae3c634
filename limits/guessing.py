"""Brute force: failed proofs of a password, however they come in.

One count for API, password change and console. Taken before the hash, so that many at
once cannot all slip through, and given back on success. Never permanent, and never in
the way of a person whose address is known for the account (OWASP ASVS 5.0, 6.1.1, 6.3.1).
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from django.conf import settings

from config import context
from config.addresses import bucket
from limits.counts import Count, Settlement
from limits.errors import TooManyAttempts
from limits.stores import digest, store


@dataclass(frozen=True, slots=True)
class Attempt:
    """A proof of a password about to be tried, for an account as it was named."""

    account: str
    address: str
    generation: str = ""
    counted: tuple[str, ...] = ()

    @property
    def _named(self) -> str:
        return f"{self.account} {self.generation}"

    @property
    def pair_key(self) -> str:
        return digest("guess", "pair", self._named, self.address)

    @property
    def account_key(self) -> str:
        return digest("guess", "account", self._named)

    @property
    def address_key(self) -> str:
        return digest("guess", "address", self.address)

    @property
    def known_key(self) -> str:
        """Stands while the address has lately signed in to the account."""
        return digest("known", self.account, self.address)

    @property
    def limits(self) -> dict[str, tuple[int, timedelta]]:
        return {
            self.pair_key: settings.GUESSES_PER_PAIR,
            self.address_key: settings.GUESSES_PER_ADDRESS,
            self.account_key: settings.GUESSES_PER_ACCOUNT,
        }


def begin(account: str, *, generation: str = "") -> Attempt:
    """Counts an attempt on the account from the current address.

    A new generation has failed at nothing yet: how a reset forgets all counts of an
    account, whatever addresses they are from. Raises TooManyAttempts.
    """
    attempt = Attempt(account, bucket(context.current().address), generation)
    if settings.RATELIMIT_ENABLE:
        limits = attempt.limits
        counts = store().hit(
            {key: int(period.total_seconds()) for key, (_, period) in limits.items()},
            # Strangers who fail at the account are not in the way of its owner.
            unless={attempt.account_key: attempt.known_key},
        )
        _refuse(counts, {key: number for key, (number, _) in limits.items()})
        attempt = replace(attempt, counted=tuple(counts))
    return attempt


def succeed(attempt: Attempt) -> None:
    """The proof was right: its own pair starts anew, the rest gets its count back."""
    if settings.RATELIMIT_ENABLE:
        lifetime = int(settings.KNOWN_ADDRESS_LIFETIME.total_seconds())
        others = [key for key in attempt.counted if key != attempt.pair_key]
        store().settle(
            Settlement(
                forgotten=[attempt.pair_key],
                given_back=others,
                renewed={attempt.known_key: lifetime},
            )
        )


def _refuse(counts: dict[str, Count], limits: dict[str, int]) -> None:
    over = {key: count for key, count in counts.items() if count.number > limits[key]}
    if over:
        # Nothing was tried, so what is not itself over counts nothing: whoever is blocked
        # and goes on knocking must not shut out the owner elsewhere.
        store().give_back([key for key in counts if key not in over])
        raise TooManyAttempts(
            crossed=any(count.number == limits[key] + 1 for key, count in over.items()),
            retry_after=max(count.remaining for count in over.values()),
        )
