"""The value, kept durably on this pod's volume."""

from kubia_pet.store.errors import (
    StoreError,
    ValueUnreadableError,
    VolumeFullError,
    VolumeUnavailableError,
    VolumeUnusableError,
)
from kubia_pet.store.store import Store, StoreObserver

__all__ = [
    "Store",
    "StoreError",
    "StoreObserver",
    "ValueUnreadableError",
    "VolumeFullError",
    "VolumeUnavailableError",
    "VolumeUnusableError",
]
