"""Readiness: whether this pod may be sent requests, which its probe, metrics, page and discovery ask."""

from kubia_pet.model.fault import Fault, Faults
from kubia_pet.peers.witnesses import Witnesses
from kubia_pet.store import Store, StoreError
from kubia_pet.web.lifecycle import Lifecycle, State
from kubia_pet.web.problem import Code, ProblemError


class Readiness:
    """A pod is ready while it serves, its own volume works, and no fault is set that says otherwise.

    Peers and DNS are not asked: a pod that fails with them would take the whole set out of its Services.
    `refusing` judges the volume, where the pod must not be ready on another pod's; None where it may.
    """

    def __init__(
        self,
        pod: str,
        store: Store,
        lifecycle: Lifecycle,
        *,
        faults: Faults | None,
        refusing: Witnesses | None,
    ) -> None:
        self._pod = pod
        self._store = store
        self._lifecycle = lifecycle
        self._faults = faults
        self._refusing = refusing
        self.last = False  # what `holds` found

    async def require(self) -> None:
        """Raises ProblemError, or StoreError for the volume, where the pod is not ready."""
        if (obstacle := self._obstacle()) is not None:
            raise obstacle
        await self._store.check()

    async def holds(self) -> bool:
        """Whether the pod is ready."""
        try:
            await self.require()
        except (ProblemError, StoreError):
            self.last = False
        else:
            self.last = True
        return self.last

    def _obstacle(self) -> ProblemError | None:
        """What keeps the pod from being ready, whether or not its volume works."""
        if self._lifecycle.state < State.READY:
            return ProblemError(503, f"Pod {self._pod} is starting.", code=Code.STARTING)
        if self._lifecycle.state > State.READY:
            return ProblemError(503, f"Pod {self._pod} is ending.", code=Code.ENDING)
        if self._faults is not None and self._faults.has(Fault.NOT_READY):
            return ProblemError(503, f"The fault {Fault.NOT_READY} is set.", code=Code.ON_PURPOSE)
        verdict = self._refusing.verdict() if self._refusing is not None else None
        if verdict is not None and verdict.is_foreign:
            return ProblemError(503, " ".join((verdict.message, *verdict.evidence)), code=Code.FOREIGN_VOLUME)
        return None
