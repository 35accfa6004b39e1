"""A whole StatefulSet on one machine."""

from kubia_pet.local.cluster import LocalStatefulSet, PortTakenError

__all__ = ["LocalStatefulSet", "PortTakenError"]
