"""How the pods of a set are reached from where one stands: by URL, by DNS from inside, by kubectl."""

from kubia_pet.reach.target import Objects, Target, UnreachableError, Way
from kubia_pet.reach.ways import reach

__all__ = ["Objects", "Target", "UnreachableError", "Way", "reach"]
