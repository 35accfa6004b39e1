"""A whole StatefulSet on one machine."""

from kubia_pet.local.cluster import LocalStatefulSet
from kubia_pet.local.supervisor import CannotRunError

__all__ = ["CannotRunError", "LocalStatefulSet"]
