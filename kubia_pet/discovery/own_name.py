"""The names that this host knows of itself."""

import re
import socket


def service_of(pod: str) -> str | None:
    """The headless service that this host's own name tells, as a full name with its final dot.

    In a pod of a StatefulSet /etc/hosts has `kubia-0.kubia.default.svc.cluster.local kubia-0` (Kubernetes
    DNS specification: <hostname>.<service>.<namespace>.svc.<zone>). None where the name has no such form.
    """
    try:
        found = socket.getaddrinfo(pod, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    except OSError:
        return None
    match = re.fullmatch(rf"{re.escape(pod)}\.([^.]+\.[^.]+\.svc\..+?)\.?", found[0][3], re.IGNORECASE)
    return f"{match[1]}." if match else None


def full_name_of(pod: str, service: str | None) -> str | None:
    """The pod's full name, in lower case, as its peers know it; None where it has none.

    That is so without a headless service: in plain Docker each container has a new name.
    """
    if service is None:
        return None
    full = service if ".svc." in service else service_of(pod)
    return f"{pod}.{full}".rstrip(".").lower() if full else None
