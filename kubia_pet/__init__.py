"""The stateful pet of the Kubernetes world: one durable value, its peers by DNS, over HTTP."""

__version__ = "1.1.0"
