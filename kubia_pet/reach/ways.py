"""Which of the ways leads to the set that the user means."""

from contextlib import AbstractAsyncContextManager

from kubia_pet.reach.by_dns import by_dns
from kubia_pet.reach.by_kubectl import by_kubectl
from kubia_pet.reach.by_url import by_url
from kubia_pet.reach.target import Target
from kubia_pet.reach.way import Way


def reach(way: Way) -> AbstractAsyncContextManager[Target]:
    """The set, for as long as the context lasts. Entering it raises UnreachableError."""
    if way.url is not None:
        return by_url(way.url, way)
    if way.namespace is not None:
        return by_kubectl(way.namespace, way)
    return by_dns(way)
