"""The client's address and scheme, as far as the configured proxies are trusted.

One rule for limits, sessions and audit, whatever server runs the application: only the
entries that our own proxies appended to X-Forwarded-For count, from the right; what
stands left of them is the client's own claim (OWASP ASVS 5.0, 4.1.3 and 15.3.4).
"""

import ipaddress


def client_address(peer: str, forwarded_for: str, trusted_proxies: int) -> str:
    """The address in its canonical form, or empty where the peer has none (a socket).

    `forwarded_for` is the header's value, several headers joined with commas.
    """
    if trusted_proxies:
        hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
        if len(hops) >= trusted_proxies:
            claimed = canonical(hops[-trusted_proxies])
            if claimed:
                return claimed
    return canonical(peer)


def client_scheme(scheme: str, forwarded_proto: str, trusted_proxies: int) -> str:
    """`http` or `https`, from the proxy nearest to us where one is trusted."""
    if trusted_proxies and forwarded_proto:
        claimed = forwarded_proto.rpartition(",")[2].strip().lower()
        return claimed if claimed in {"http", "https"} else "http"
    return scheme


def undo_forwarding(client: str, forwarded_for: str) -> str:
    """The peer again, where a server took the client's word for `client`."""
    claims = {canonical(hop.strip()) for hop in forwarded_for.split(",")}
    return "127.0.0.1" if canonical(client) in claims - {""} else client


def bucket(address: str) -> str:
    """What a limit counts: IPv6 by /64, since a subscriber has all of that."""
    if ":" not in address:
        return address
    network = ipaddress.ip_network((address, 64), strict=False)
    return str(network)


def canonical(text: str) -> str:
    """Without port, brackets or zone; IPv4 inside IPv6 unwrapped; empty if not one."""
    host = text
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
