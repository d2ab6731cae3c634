"""A mail server on loopback that can be told to refuse, to hang and to break off."""

import asyncio
import email.policy
import logging
import time
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from enum import Enum, auto
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests import servers

# The server's own words would stand among ours.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)

POLL_SECONDS = 0.01
OK = "250 OK"


class Fault(Enum):
    """What goes wrong in every conversation, until it is put right."""

    NOTHING = auto()
    HANGS_AFTER_GREETING = auto()
    HANGS_IN_DATA = auto()
    BREAKS_IN_DATA = auto()
    REFUSES_LOGIN = auto()


@dataclass(frozen=True)
class Received:
    sender: str
    recipients: list[str]
    message: EmailMessage

    def part(self, kind: str) -> str:
        """The body, as `plain` or as `html`."""
        body = self.message.get_body((kind,))
        assert body is not None
        return str(body.get_content())


class Postbox:
    """What it has accepted is in `received`: who is left hanging has given nothing."""

    def __init__(self) -> None:
        self.port = servers.free_port()
        self.received: list[Received] = []
        self.fault = Fault.NOTHING
        # What it says to RCPT, by address, where that is not OK; and to a whole text.
        self.answers: dict[str, str] = {}
        self.answer_to_text = OK
        self.conversations = 0
        self.hanging = 0
        self._fault_after = 0
        self._is_released = False
        self._controller: Controller | None = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def addresses(self) -> list[str]:
        """To whom something came, sorted; twice if twice."""
        return sorted(to for mail in self.received for to in mail.recipients)

    def start(self) -> None:
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            authenticator=self._authenticate,
            auth_require_tls=False,
        )
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            controller, self._controller = self._controller, None
            controller.stop()
            controller.loop.close()

    def fail(self, fault: Fault, *, after: int = 0) -> None:
        """In every conversation, once so many mails have been accepted."""
        self._fault_after = after
        self._is_released = False
        self.fault = fault

    def let_newcomers_in(self) -> None:
        """Who hangs already goes on hanging."""
        self.fault = Fault.NOTHING

    def recover(self) -> None:
        """Who hangs is answered."""
        self.fault = Fault.NOTHING
        self._is_released = True

    def wait_for(self, number: int, seconds: float) -> None:
        """Until so many have come. Raises TimeoutError."""
        self._wait(lambda: len(self.received) >= number, seconds)

    def wait_for_hanging(self, number: int = 1, seconds: float = 20) -> None:
        """Until so many conversations hang. Raises TimeoutError."""
        self._wait(lambda: self.hanging >= number, seconds)

    def _wait(self, is_so: Any, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > end:
                raise TimeoutError(f"{len(self.received)} mails, {self.hanging} hang")
            time.sleep(POLL_SECONDS)

    def _authenticate(self, *_: Any) -> AuthResult:
        return AuthResult(success=self.fault is not Fault.REFUSES_LOGIN, handled=False)

    def _has(self, fault: Fault) -> bool:
        return self.fault is fault and len(self.received) >= self._fault_after

    async def _hang(self, server: SMTP) -> bool:
        """Until it recovers; whether the other side is still there then."""
        self.hanging += 1
        try:
            while not self._is_released and not self._is_gone(server):
                await asyncio.sleep(POLL_SECONDS)
        finally:
            self.hanging -= 1
        return not self._is_gone(server)

    def _is_gone(self, server: SMTP) -> bool:
        # aiosmtpd does not tell a handler; the reader has seen the end, the writer not.
        reader: Any = server._reader
        return server.transport is None or bool(reader.at_eof())

    async def handle_EHLO(  # noqa: N802  # its name in aiosmtpd
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        self.conversations += 1
        session.host_name = hostname
        if self._has(Fault.HANGS_AFTER_GREETING):
            await self._hang(server)
        return responses

    async def handle_RCPT(  # noqa: N802  # its name in aiosmtpd
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        answer = self.answers.get(address, OK)
        if answer == OK:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802  # its name in aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self._has(Fault.BREAKS_IN_DATA):
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            raise ConnectionResetError
        if self._has(Fault.HANGS_IN_DATA) and not await self._hang(server):
            return "451 Too late"
        if self.answer_to_text != OK:
            return self.answer_to_text
        content = envelope.content
        assert isinstance(content, bytes)
        message = BytesParser(EmailMessage, policy=email.policy.default).parsebytes(
            content
        )
        sender, recipients = envelope.mail_from or "", list(envelope.rcpt_tos)
        self.received.append(Received(sender, recipients, message))
        return OK
