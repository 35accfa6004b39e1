"""How long the volume takes to make something durable."""

import time
from collections import deque

from kubia_pet.limits import FSYNCS_KEPT
from kubia_pet.store.atomic_file import sync


class FsyncTimes:
    """The times of the fsyncs of commits. One thread adds to them, any may look."""

    def __init__(self) -> None:
        self._count = 0
        self._max = 0.0
        self._newest: deque[float] = deque(maxlen=FSYNCS_KEPT)

    def sync(self, file: int) -> None:
        """Makes an open file, or directory, durable. Raises OSError."""
        began = time.perf_counter()
        sync(file)
        took = time.perf_counter() - began
        self._newest.append(took)
        self._max = max(took, self._max)
        self._count += 1

    def members(self) -> dict[str, object]:
        """For JSON: how many there were, the median of the newest in seconds, and the longest of all."""
        newest = sorted(self._newest)
        median = round(newest[len(newest) // 2], 6) if newest else None
        return {"count": self._count, "median_seconds": median, "max_seconds": round(self._max, 6) or None}
