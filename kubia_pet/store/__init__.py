"""The value, kept durably on this pod's volume."""

from kubia_pet.store.condition import Condition
from kubia_pet.store.errors import (
    FaultKind,
    PreconditionFailedError,
    StoreError,
    ValueUnreadableError,
    VolumeFullError,
    VolumeLockedError,
    VolumeSlowError,
    VolumeUnavailableError,
    VolumeUnusableError,
)
from kubia_pet.store.ledger import Ledger
from kubia_pet.store.storage import Storage
from kubia_pet.store.store import Store, StoreObserver
from kubia_pet.store.volume import Volume

__all__ = [
    "Condition",
    "FaultKind",
    "Ledger",
    "PreconditionFailedError",
    "Storage",
    "Store",
    "StoreError",
    "StoreObserver",
    "ValueUnreadableError",
    "Volume",
    "VolumeFullError",
    "VolumeLockedError",
    "VolumeSlowError",
    "VolumeUnavailableError",
    "VolumeUnusableError",
]
