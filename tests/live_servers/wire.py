"""Requests as bytes, for what no client library would send."""

import socket
from contextlib import closing
from http.client import HTTPResponse
from urllib.parse import urlsplit

from tests.live_servers.calls import Answer

LOGIN = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
ME = b"GET /api/v1/users/me HTTP/1.1\r\nHost: localhost\r\n"


def dial(server: str) -> socket.socket:
    address = urlsplit(server)
    return socket.create_connection((address.hostname, address.port), timeout=20)


def read_answer(line: socket.socket, method: str = "GET") -> Answer:
    response = HTTPResponse(line, method=method)
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


def exchange(server: str, *pieces: bytes) -> Answer:
    with closing(dial(server)) as line:
        for piece in pieces:
            line.sendall(piece)
        return read_answer(line)


def chunked(*pieces: bytes) -> bytes:
    chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    return b"".join([*chunks, b"0\r\n\r\n"])
