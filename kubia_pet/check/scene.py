"""What the checks of one run share: the target, and what its pods say, asked once."""

import asyncio
from collections.abc import Sequence

from kubia_pet.aio.parallel import in_parallel
from kubia_pet.check.trial import Trial
from kubia_pet.check.view import PodView, view
from kubia_pet.limits import ASK_CONCURRENCY
from kubia_pet.reach.target import Target


class Scene:
    """One run's. Its trial, which writes, is begun by who needs it first and ended by the command."""

    def __init__(self, target: Target) -> None:
        self.target = target
        # A value could not be put back where it is the Service that chooses the pod of each request.
        self.trial = Trial(target.apart, may_remove=target.may_remove)
        self._views: asyncio.Future[list[PodView]] | None = None

    async def views(self) -> Sequence[PodView]:
        """What each pod says, in the order of the target's pods."""
        if self._views is None:
            self._views = asyncio.ensure_future(self.look())
        return await asyncio.shield(self._views)

    async def look(self) -> list[PodView]:
        """What each pod says now."""
        return await in_parallel(self.target.pods, view, limit=ASK_CONCURRENCY)

    async def restore(self) -> None:
        """Puts the old values back, as often as it is called: once."""
        await self.trial.end()

    def notes(self) -> list[str]:
        """What one should know beside the results."""
        playing = {pod.name: sorted(pod.faults) for pod in self.target.pods if pod.faults}
        notes = [f"{pod} is playing a fault: {', '.join(faults)}" for pod, faults in playing.items()]
        unseen = [f"pods: {self.target.unseen['pods']}"] if "pods" in self.target.unseen else []
        return self.trial.left + notes + unseen
