"""Uvicorn's HTTP protocol where the wire itself has to keep our promises.

What the parser refuses never becomes a request, so no layer above can answer it; and an
absolute request line names its host before any header does (RFC 9112 §3.2.2).
"""

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import config.asgi  # noqa: F401  # sets Django up, whichever of the two is loaded first
from config import context, errors, policies
from config.api import problems
from config.edge import UNTOUCHED
from config.identifiers import new_id


class Protocol(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][UNTOUCHED] = True

    def on_headers_complete(self) -> None:
        authority = _authority(self.url)
        if authority:
            others = [(name, value) for name, value in self.headers if name != b"host"]
            self.headers[:] = [*others, (b"host", authority)]
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """As every refusal: a problem document, the headers of the edge, a request id."""
        context.enter(context.RequestContext(request_id=str(new_id())))
        body = problems.encode(errors.MalformedRequest())
        secure = self.scheme == "https"
        headers = [
            (b"content-type", problems.CONTENT_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            (b"x-request-id", context.current().request_id.encode()),
            *policies.unread_request_headers(secure=secure),
        ]
        lines = [b"%s: %s\r\n" % header for header in headers]
        self.transport.write(b"".join([b"HTTP/1.1 400 Bad Request\r\n", *lines, b"\r\n"]))
        self.transport.write(body)
        self.transport.close()


def _authority(url: bytes) -> bytes:
    """`host[:port]` of an absolute request target, else empty."""
    if url.startswith(b"/"):
        return b""
    parsed = httptools.parse_url(url)
    host: bytes = parsed.host or b""
    return host if parsed.port is None else b"%s:%d" % (host, parsed.port)
