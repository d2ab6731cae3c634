from typing import Any

from config.errors import DomainError


class TooManyAttempts(DomainError):
    """`crossed` is true for the one attempt that went over the line."""

    status = 429
    code = "too_many_attempts"
    message = "Too many failed attempts. Try again later."

    def __init__(self, *, crossed: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.crossed = crossed
