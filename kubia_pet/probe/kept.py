"""The values from before the probe: what is put back at its end."""

from kubia_pet.client.errors import AskError
from kubia_pet.limits import MAX_KEPT_BYTES
from kubia_pet.probe.numbered import Kind, sighting
from kubia_pet.reach.restore import OTHER_RUN, is_a_runs
from kubia_pet.reach.way import UnreachableError


class OtherRunError(AskError):
    """The pod has the value of another check or probe, which would be lost for good if ours replaced it."""

    def __init__(self, pod: str) -> None:
        super().__init__(OTHER_RUN)
        self.pod = pod


class Kept:
    """By pod: its value when the probe came, or somebody else's since."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._values: dict[str, bytes | None] = {}

    def remember(self, pod: str, data: bytes | None) -> bool:
        """Remembers what is nobody's of this probe; whether the pod has, or had, it from before.

        Raises OtherRunError where another run's is the first that is seen of this pod, and UnreachableError
        where that is more than MAX_KEPT_BYTES together.
        """
        if sighting(data, self._run).kind not in {Kind.FOREIGN, Kind.NONE}:
            return False
        if self.is_another_runs(data):
            if pod not in self._values:
                raise OtherRunError(pod)
            return False
        if pod in self._values:
            before = self._values[pod] == data
            if data is not None:
                self._values[pod] = data
            return before
        self._values[pod] = data
        if sum(len(value or b"") for value in self._values.values()) > MAX_KEPT_BYTES:
            raise UnreachableError(
                f"The values are more than {MAX_KEPT_BYTES} bytes together: too many to put back."
            )
        return True

    def is_another_runs(self, data: bytes | None) -> bool:
        """Whether another check or probe has written this."""
        return data is not None and is_a_runs(data) and sighting(data, self._run).kind is Kind.FOREIGN

    def __contains__(self, pod: str) -> bool:
        return pod in self._values

    def get(self, pod: str) -> bytes | None:
        """The value; None also where nothing is known of this pod."""
        return self._values.get(pod)
