"""Routes: what each answers."""

from kubia_pet.web.handlers.events import EventHandlers
from kubia_pet.web.handlers.faults import FaultHandlers
from kubia_pet.web.handlers.ledger import LedgerHandlers
from kubia_pet.web.handlers.ops import OpsHandlers
from kubia_pet.web.handlers.overview import OverviewHandlers
from kubia_pet.web.handlers.value import ValueHandlers

__all__ = [
    "EventHandlers",
    "FaultHandlers",
    "LedgerHandlers",
    "OpsHandlers",
    "OverviewHandlers",
    "ValueHandlers",
]
