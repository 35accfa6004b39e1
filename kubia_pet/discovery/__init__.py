"""Who the peers are, from the DNS of the headless service."""

from kubia_pet.discovery.discovered import Discovered
from kubia_pet.discovery.discovery import Discovery, DiscoveryObserver
from kubia_pet.discovery.own_name import full_name_of, service_of
from kubia_pet.discovery.resolver import Resolver

__all__ = ["Discovered", "Discovery", "DiscoveryObserver", "Resolver", "full_name_of", "service_of"]
