"""Who the peers are, from the DNS of the headless service."""

from kubia_pet.discovery.discovered import Discovered
from kubia_pet.discovery.discovery import Discovery, DiscoveryObserver
from kubia_pet.discovery.resolver import Resolver, service_of

__all__ = ["Discovered", "Discovery", "DiscoveryObserver", "Resolver", "service_of"]
