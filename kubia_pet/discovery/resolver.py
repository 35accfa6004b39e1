"""SRV look-ups: blocking, so that parsing hundreds of records never holds the event loop."""

import time
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from kubia_pet.discovery.answer import Answer, ResolutionFailedError, ResolutionTimeoutError
from kubia_pet.discovery.rotation import Way

if TYPE_CHECKING:
    from kubia_pet.discovery.questions import Questions


class Resolver:
    """SRV look-ups of one service at one name server, or at those of resolv.conf.

    `timeout`, in seconds, is for one run with all that it asks.
    """

    def __init__(
        self,
        service: str,
        *,
        nameserver: tuple[str, int] | None,
        timeout: float,
        resolv_conf: str = "/etc/resolv.conf",
    ) -> None:
        self.service = service
        self.timeout = timeout
        self._nameserver = nameserver
        self._resolv_conf = resolv_conf
        self._takes_bits = False  # the name server has answered a question with CD or DO

    def prepare(self) -> None:
        """Does what the first question would have to wait for."""
        _ = self._questions

    def run(self, *ways: Way, timeout: float | None = None) -> list[Answer]:
        """The answers, in each way until one names somebody, within `timeout` seconds where it is given.

        `_http._tcp.<service>` is what the Kubernetes DNS specification defines for a port named http, the
        bare name what CoreDNS answers with every port. No such name, or no record, is an answer: nobody
        (yet). Where the name server does not answer a question with bits that it may not know, it is asked
        again without. Raises ResolutionFailedError.
        """
        # The rest is for parsing, and for the pause of up to 0.2 s that dnspython makes before it gives up.
        seconds = 0.75 * (timeout or self.timeout)
        deadline = time.monotonic() + seconds
        unknown = not (ways[0].is_plain or self._takes_bits)
        try:
            answers = self._run(ways, deadline, for_plain=seconds / 3 if unknown else 0)
        except ResolutionFailedError as refusal:
            if ways[0].is_plain:
                raise
            if self._takes_bits and isinstance(refusal, ResolutionTimeoutError):
                self._takes_bits = False  # the next run leaves time for the plain question
                raise
            plain = self._run([Way(way.named) for way in ways], deadline)
            return [replace(answer, refusal=refusal) for answer in plain]
        self._takes_bits = self._takes_bits or not ways[0].is_plain
        return answers

    def name(self, way: Way) -> str:
        """The name that is asked for in this way."""
        return f"_http._tcp.{self.service}" if way.named else self.service

    @cached_property
    def _questions(self) -> "Questions":
        # dnspython takes a sixth of the time to start, and no start waits for DNS.
        from kubia_pet.discovery.questions import Questions  # noqa: PLC0415

        return Questions(self._nameserver, self._resolv_conf, self.timeout)

    def _run(self, ways: Iterable[Way], deadline: float, *, for_plain: float = 0.0) -> list[Answer]:
        """`for_plain` seconds before the deadline there must be an answer; its addresses may take longer."""
        answers = []
        for way in ways:
            answer = self._questions.answer(
                self.name(way), self.service, way, answered_by=deadline - for_plain, deadline=deadline
            )
            answers.append(answer)
            if answers[-1].records:
                break
        return answers
