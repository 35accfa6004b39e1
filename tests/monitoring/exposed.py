"""What a pod exposes, and what a query asks for."""

import re

from kubia_pet.metrics import Metrics


def exposed() -> dict[str, str]:
    """Each metric that a pod exposes, by its name: its type. Without the times at which they were made."""
    types = re.findall(r"^# TYPE (\S+) (\S+)$", Metrics().render().decode(), re.MULTILINE)
    return {name: kind for name, kind in types if not name.endswith("_created")}


def asked_for(query: str) -> set[str]:
    """The metrics of a PromQL expression, a histogram by its own name."""
    histograms = {name for name, kind in exposed().items() if kind == "histogram"}
    found = set()
    for name in re.findall(r"\bkubia_pet_\w+", query):
        base = re.sub(r"_(bucket|count|sum)$", "", name)
        found.add(base if base in histograms else name)
    return found
