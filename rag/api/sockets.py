"""Sockets that are bound before anything loads, so that a taken port is said at once."""

from __future__ import annotations

import socket


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens on the address; raises OSError where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as a server that was just stopped leaves it
        bound.bind((host, port))
        bound.listen()  # or a second server could bind it, too, while this one loads its models
    except BaseException:
        bound.close()
        raise
    return bound
