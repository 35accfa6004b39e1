"""The cluster as it changes, for those who watch."""

from kubia_pet.web.events.broadcaster import Broadcaster, Event
from kubia_pet.web.events.snapshot import ClusterState, Snapshots

__all__ = ["Broadcaster", "ClusterState", "Event", "Snapshots"]
