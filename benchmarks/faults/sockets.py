"""Which process holds the other end of a connection: the kernel's own tables say it."""

import socket
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

PROC = Path("/proc")
ESTABLISHED = "01"
QUESTION = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
PATIENCE_SECONDS = 2
# Columns of /proc/net/tcp.
LOCAL, REMOTE, STATE, INODE = 1, 2, 3, 9


def answering(port: int, among: Iterable[int]) -> int:
    """The process that answers on a new connection to the port; 0 where none does."""
    try:
        with closing(
            socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        ) as line:
            line.sendall(QUESTION)
            if not line.recv(1):
                return 0
            return holder(port, line.getsockname()[1], among)
    except OSError:
        return 0


def holder(local: int, remote: int, among: Iterable[int]) -> int:
    """Whose socket it is, between these ports; 0 where it is nobody's of these."""
    inode = _inode(local, remote)
    return next((pid for pid in among if inode and _holds(pid, inode)), 0)


def _inode(local: int, remote: int) -> str:
    for line in (PROC / "net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        ports = tuple(_port(fields[column]) for column in (LOCAL, REMOTE))
        if fields[STATE] == ESTABLISHED and ports == (local, remote):
            return fields[INODE]
    return ""


def _port(address: str) -> int:
    return int(address.partition(":")[2], 16)


def _holds(pid: int, inode: str) -> bool:
    try:
        names = [str(entry.readlink()) for entry in (PROC / f"{pid}/fd").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return False  # it, or one of its files, is gone meanwhile
    return f"socket:[{inode}]" in names
