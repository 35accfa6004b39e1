"""What a pod exposes, and what a query asks for."""

import re

from kubia_pet.metrics import Metrics
from kubia_pet.model.fault import Faults


def exposed() -> dict[str, str]:
    """Each metric that a pod with --faults exposes, by its name: its type. Without when they were made."""
    text = Metrics(Faults()).render().decode()
    types = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    return {name: kind for name, kind in types if not name.endswith("_created")}


def asked_for(query: str) -> set[str]:
    """The metrics of a PromQL expression, a histogram by its own name."""
    histograms = {name for name, kind in exposed().items() if kind == "histogram"}
    found = set()
    for name in re.findall(r"\bkubia_pet_\w+", query):
        base = re.sub(r"_(bucket|count|sum)$", "", name)
        found.add(base if base in histograms else name)
    return found
