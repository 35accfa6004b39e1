"""A pod that DNS does not know though it is ready: most likely its service's name is wrong."""

import time

from kubia_pet.limits import NOBODY_GRACE
from kubia_pet.model.diagnostic import Diagnostic, ErrorCode


class Nobody:
    """Tells a service that DNS does not know from pods that are not listed yet.

    A pod is listed when it is ready, and a cache may say for 30 seconds more that nobody is. So a wrong name
    shows where DNS has said so for NOBODY_GRACE seconds while this pod was ready all the time. A pod that is
    the only one of its set is on the list: it is alone, and nothing is wrong.
    """

    def __init__(self) -> None:
        self._since: float | None = None

    def seen(self, *, empty: bool, ready: bool) -> None:
        """Notes whether DNS knows nobody, and whether this pod is ready, as of now."""
        if not (empty and ready):
            self._since = None
        elif self._since is None:
            self._since = time.monotonic()

    def diagnostics(self, service: str) -> tuple[Diagnostic, ...]:
        """What to say about it; nothing as long as it may pass by itself."""
        if self._since is None or time.monotonic() - self._since < NOBODY_GRACE:
            return ()
        name = service.partition(".")[0]
        sentence = (
            f"DNS knows no pod of {service}, though this one is ready. Is there a headless Service {name} in "
            "this pod's namespace, does its selector match the pod's labels, and do the StatefulSet's "
            "serviceName and --service, where it is set, name it?"
        )
        return (Diagnostic(ErrorCode.NOBODY, sentence),)
