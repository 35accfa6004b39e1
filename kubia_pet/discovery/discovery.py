"""Who the peers are, from the DNS of the headless service."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from kubia_pet.discovery.alone import Nobody
from kubia_pet.discovery.answer import (
    Answer,
    ResolutionFailedError,
    ResolutionTimeoutError,
    no_answer_within,
)
from kubia_pet.discovery.discovered import Asked, Discovered
from kubia_pet.discovery.records import peers_in
from kubia_pet.discovery.resolver import Resolver
from kubia_pet.discovery.rotation import TTL_PRECISION, Rotation, Way
from kubia_pet.limits import DOUBT_INTERVAL, NOBODY_INTERVAL, STALE_ANSWER_TIME, TURN_TIME
from kubia_pet.model import moment
from kubia_pet.model.diagnostic import Diagnostic, ErrorCode

log = logging.getLogger(__name__)
RENEWED_AT = 0.75  # of its time in use: then the next answer is asked for, and nobody waits for it


class DiscoveryObserver(Protocol):
    """Told of every look-up."""

    def looked_up(self, seconds: float, peers: int, *, ok: bool) -> None:
        """A look-up took `seconds`; the list has so many peers now."""


class Discovery:
    """Finds the pods of one headless service.

    An answer is used until its TTL ends, `max_age` seconds at most, and no longer than until the next way
    to ask has its turn (`rotation`), so that a pod which the cluster's DNS knows is seen. While DNS fails the
    last good answer stands for up to STALE_ANSWER_TIME seconds, marked with the failure. A fresh answer costs
    no waiting, and who asks all the time always has one, as it is renewed ahead of its end; a look-up is
    shared by all who wait for it. `ready()` tells whether this pod is ready: DNS lists those that are.
    """

    def __init__(
        self,
        resolver: Resolver,
        *,
        pod: str,
        port: int,
        max_age: float,
        observer: DiscoveryObserver,
        ready: Callable[[], Awaitable[bool]],
        rotation: Rotation | None = None,
    ) -> None:
        self._resolver = resolver
        self._pod = pod
        self._port = port
        self._max_age = max_age
        self._observer = observer
        self._ready = ready
        self._rotation = rotation or Rotation()
        self._nobody = Nobody()
        self._watching: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "discovery")
        self._looking: asyncio.Task[Discovered] | None = None
        self._doubting: asyncio.TimerHandle | None = None
        self._began = float("-inf")  # the last look-up
        self._last: Discovered | None = None
        self._renewed_at = self._good_until = 0.0
        self._logged: set[str] = set()

    def open(self) -> None:
        """Begins to watch whether DNS knows anybody, so that a wrong name is logged though nobody asks."""
        self._watching = asyncio.create_task(self._watch())

    async def watch(self) -> None:
        """One look at whether DNS knows anybody while this pod is ready; costs no question where it does."""
        if self._last is not None and not self._last.is_empty:
            self._nobody.seen(empty=False, ready=True)
        elif await self._ready():
            self._nobody.seen(empty=(await self.discover()).is_empty, ready=True)
        else:
            self._nobody.seen(empty=True, ready=False)

    async def discover(self) -> Discovered:
        """The peers, in the order of their ordinals. Never raises: a failure is part of the answer."""
        now = time.monotonic()
        if self._last is None or now >= self._good_until:
            return await asyncio.shield(self._look_up_once())
        if now >= self._renewed_at:
            self._look_up_once()
        return self._last

    def doubt(self) -> None:
        """A peer was not where it should be: asks the next way at once, or DOUBT_INTERVAL after the last.

        Where no other way would be answered afresh it is the same one again, as not every cluster caches.
        """
        wait = self._began + DOUBT_INTERVAL - time.monotonic()
        if wait <= 0:
            self._look_again()
        elif self._doubting is None:
            self._doubting = asyncio.get_running_loop().call_later(wait, self._look_again)

    def _look_again(self) -> None:
        self._doubting = None
        self._rotation.hurry()
        self._look_up_once()

    def close(self) -> None:
        """Waits for nothing: a look-up under way ends at its own deadline."""
        for each in (self._looking, self._watching, self._doubting):
            if each is not None:
                each.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(NOBODY_INTERVAL)
            await self.watch()

    def _look_up_once(self) -> asyncio.Task[Discovered]:
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_up())
            self._looking.add_done_callback(self._looked_up)
        return self._looking

    def _looked_up(self, _: asyncio.Task[Discovered]) -> None:
        self._looking = None

    async def _look_up(self) -> Discovered:
        if self._last is None:  # beside the deadline: that a busy node is slow is no fault of a name server
            await asyncio.get_running_loop().run_in_executor(self._thread, self._resolver.prepare)
        self._began = began = time.monotonic()
        try:
            # The look-up keeps to its deadline but where it is flooded: this one holds whatever comes.
            async with asyncio.timeout(self._resolver.timeout):
                discovered, ttl = await self._newest()
        except ResolutionFailedError as error:
            discovered, ttl = self._without_answer(str(error), began), self._max_age
        except TimeoutError:
            sentence = no_answer_within(self._resolver.timeout)
            discovered, ttl = self._without_answer(sentence, began), self._max_age
        except Exception:
            log.exception("Failed to read the DNS answer for %s", self._resolver.service)
            sentence = "DNS gave an answer that this pod failed to read; its log says why."
            discovered, ttl = self._without_answer(sentence, began), self._max_age
        took, listed = time.monotonic() - began, len(discovered.peers)
        self._observer.looked_up(took, listed, ok=discovered.failure is None)
        self._log_changes(discovered)
        self._last = discovered
        now, used_for = time.monotonic(), min(ttl, self._max_age)
        left = math.inf if discovered.failure else self._rotation.left()
        self._renewed_at = now + min(RENEWED_AT * used_for, left)
        self._good_until = now + min(used_for, left + TURN_TIME)
        return discovered

    async def _newest(self) -> tuple[Discovered, float]:
        """The newest that can be had, and its TTL.

        An answer that was cached before its slot began makes it the next way's turn. Answers are never mixed,
        and one that is older than what is known already changes nothing.
        """
        newest, ttl = await self._ask()
        if not self._rotation.fresh:
            within = self._resolver.timeout / 4
            with suppress(ResolutionFailedError, TimeoutError):
                async with asyncio.timeout(within):
                    other, other_ttl = await self._ask(within)
                if other.as_of > newest.as_of:
                    newest, ttl = other, other_ttl
        if self._last is not None and newest.as_of < self._last.as_of - TTL_PRECISION:
            newest = replace(self._last, failure=None)
        return newest, ttl

    async def _ask(self, within: float | None = None) -> tuple[Discovered, float]:
        loop, began = asyncio.get_running_loop(), time.monotonic()
        ways = self._rotation.ways()
        answers, found = await loop.run_in_executor(self._thread, self._answer, ways, within)
        last = answers[-1]
        if last.refusal is not None:
            self._note_refusal(last.refusal)
        if last.records and len(answers) > 1:
            self._rotation.has_no_answer(named=answers[0].way.named)
        elif len(answers) > 1:
            self._rotation.has_nobody()
        age = self._rotation.answered(last.way, last.ttl, empty=not last.records)
        asked = Asked(last.way, self._resolver.name(last.way), moment.now(), self._rotation.plain_only)
        return replace(found, taken_at=began, as_of=began - age, asked=asked), last.ttl

    def _note_refusal(self, refusal: ResolutionFailedError) -> None:
        known = self._rotation.plain_only
        self._rotation.refused(in_time=not isinstance(refusal, ResolutionTimeoutError))
        if self._rotation.plain_only and not known:
            log.warning(
                "The name server does not answer questions with CD or DO (%s) It is asked plainly from now "
                "on; where it caches, a list may be as old as that.",
                refusal,
            )

    def _answer(self, ways: tuple[Way, ...], within: float | None) -> tuple[list[Answer], Discovered]:
        answers = self._resolver.run(*ways, timeout=within)
        last = answers[-1]
        peers, diagnostics = peers_in(last.records, service=last.service, pod=self._pod, port=self._port)
        if not last.records:
            diagnostics += self._nobody.diagnostics(last.service)
        discovered = Discovered(
            last.service,
            tuple(peers),
            tuple(diagnostics),
            is_empty=not last.records,
            records=tuple(last.records),
        )
        return answers, discovered

    def _without_answer(self, sentence: str, now: float) -> Discovered:
        failure = Diagnostic(ErrorCode.DNS_FAILED, sentence)
        last = self._last
        if last is not None and last.taken_at is not None and now - last.taken_at <= STALE_ANSWER_TIME:
            return replace(last, failure=failure)
        service = self._resolver.service.rstrip(".")
        alone, _ = peers_in((), service=service, pod=self._pod, port=self._port)
        return Discovered(
            service, tuple(alone), (), taken_at=last.taken_at if last else None, failure=failure
        )

    def _log_changes(self, discovered: Discovered) -> None:
        """Logs what is new, once, until it has passed."""
        now = {
            diagnostic.message for diagnostic in (*discovered.diagnostics, discovered.failure) if diagnostic
        }
        for message in now - self._logged:
            log.warning("%s", message)
        if self._logged - now:
            log.info("Discovery of %s: passed: %s", discovered.service, " ".join(sorted(self._logged - now)))
        self._logged = now
