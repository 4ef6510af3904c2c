"""Which hosts anybody on the internet can reach: only these are asked for what a stranger names."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import TypeAlias

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""The IP addresses of a host, asked for a port; raises OSError or UnicodeError where there are none."""
Permit: TypeAlias = Callable[[IPv4Address | IPv6Address], bool]
_NAT64 = IPv6Network("64:ff9b::/96")


def look_up(host: str, port: int) -> list[str]:
    """The IP addresses that the system knows the host by, each once; as `Resolve` says."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def is_public(ip: IPv4Address | IPv6Address) -> bool:
    """Whether anybody on the internet could reach it, which is so of no address of this computer or of a network around
    it; where an IPv6 address stands for one of IPv4, that is looked at.
    """
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if inner is not None:
            return is_public(inner)
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)
