"""Middleware: admission, error mapping, instrumentation."""

from kubia_pet.web.middleware.admission import Admission
from kubia_pet.web.middleware.faults import FaultInjection
from kubia_pet.web.middleware.hosts import Hosts
from kubia_pet.web.middleware.instrumentation import Instrumentation
from kubia_pet.web.middleware.pipeline import Pipeline

__all__ = ["Admission", "FaultInjection", "Hosts", "Instrumentation", "Pipeline"]
