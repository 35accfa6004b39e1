"""Routes: what each answers."""

from kubia_pet.web.handlers.ops import OpsHandlers
from kubia_pet.web.handlers.overview import OverviewHandlers
from kubia_pet.web.handlers.value import ValueHandlers

__all__ = ["OpsHandlers", "OverviewHandlers", "ValueHandlers"]
