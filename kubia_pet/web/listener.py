"""The listening socket, and how many connections it may lead to."""

import logging
import resource
import socket

from kubia_pet.config import Settings
from kubia_pet.limits import MAX_OPEN_FILES, READ_BUFFER_BYTES

log = logging.getLogger(__name__)
_TCP_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)


def listen(settings: Settings) -> socket.socket:
    """A listening socket for the settings' host and port; one for IPv4 and IPv6 where no host is set."""
    try:
        if settings.host is not None:
            family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
            listener = socket.create_server((settings.host, settings.port), family=family)
        elif socket.has_dualstack_ipv6():
            listener = socket.create_server(("", settings.port), family=socket.AF_INET6, dualstack_ipv6=True)
        else:
            listener = socket.create_server(("", settings.port))
    except OSError as error:
        where = f"{settings.host or 'all addresses'}, port {settings.port}"
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise OSError(f"Cannot listen on {where}: {reason}.") from error
    # Accepted sockets inherit both.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ_BUFFER_BYTES)
    if _TCP_USER_TIMEOUT is not None:
        # The kernel forgets what it still holds for a client that takes nothing.
        listener.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, int(settings.client_timeout * 1000))
    return listener


def permitted(connections: int) -> int:
    """So many connections, or as many as this process may have files: the store must always open its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + MAX_OPEN_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            log.warning("This process may open %d files only: connections are capped at half of it", soft)
            return soft // 2
    return connections


def url_of(listener: socket.socket) -> str:
    """Where it listens."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
