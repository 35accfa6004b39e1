"""Who the peers are, from the DNS of the headless service."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from kubia_pet.discovery.alone import Nobody
from kubia_pet.discovery.records import peers_in
from kubia_pet.discovery.resolver import ResolutionFailedError, Resolver, no_answer_within
from kubia_pet.limits import DOUBT_INTERVAL, NOBODY_INTERVAL, STALE_ANSWER_TIME
from kubia_pet.model.diagnostic import Diagnostic, ErrorCode
from kubia_pet.model.peer import Peer

log = logging.getLogger(__name__)
RENEWED_AT = 0.75  # of its time in use: then the next answer is asked for, and nobody waits for it


class DiscoveryObserver(Protocol):
    """Told of every look-up."""

    def looked_up(self, seconds: float, peers: int, *, ok: bool) -> None:
        """A look-up took `seconds`; the list has so many peers now."""


@dataclass(frozen=True)
class Discovered:
    """The peers as of `taken_at`, and what there is to say about them.

    `taken_at` is the monotonic time, in seconds, of the last good answer; None where there was none yet.
    """

    service: str
    peers: tuple[Peer, ...]
    diagnostics: tuple[Diagnostic, ...]
    taken_at: float | None
    failure: Diagnostic | None = None  # why the peers are those of an older answer
    is_empty: bool = False  # DNS knew nobody: no such name, or no record

    @property
    def own(self) -> Peer:
        """This pod."""
        return next(peer for peer in self.peers if peer.is_self)

    def age(self) -> float | None:
        """Seconds since the name server gave this answer."""
        return None if self.taken_at is None else time.monotonic() - self.taken_at

    def state(self) -> dict[str, object]:
        """How discovery fares, as members of a JSON object: age in seconds, error, diagnostics."""
        age = self.age()
        return {
            "age": None if age is None else round(age, 3),
            "error": self.failure and vars(self.failure),
            "findings": [vars(diagnostic) for diagnostic in self.diagnostics],
        }


class Discovery:
    """Finds the pods of one headless service.

    An answer is used until its TTL ends, `max_age` seconds at most, and no longer, so that a pod which
    the cluster's DNS knows is seen. While DNS fails the last good answer stands for up to STALE_ANSWER_TIME
    seconds, marked with the failure. A fresh answer costs no waiting, and who asks all the time always has
    one, as it is renewed ahead of its end; a look-up is shared by all who wait for it. `ready()` tells
    whether this pod is ready: DNS lists those that are.
    """

    def __init__(
        self,
        lookup: Resolver,
        *,
        pod: str,
        port: int,
        max_age: float,
        observer: DiscoveryObserver,
        ready: Callable[[], Awaitable[bool]],
    ) -> None:
        self._lookup = lookup
        self._pod = pod
        self._port = port
        self._max_age = max_age
        self._observer = observer
        self._ready = ready
        self._nobody = Nobody()
        self._watching: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "discovery")
        self._looking: asyncio.Task[Discovered] | None = None
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
        """A peer was not where it should be: asks anew at once, though at most once in DOUBT_INTERVAL."""
        if time.monotonic() - self._began >= DOUBT_INTERVAL:
            self._look_up_once()

    def close(self) -> None:
        """Waits for nothing: a look-up under way ends at its own deadline."""
        for task in (self._looking, self._watching):
            if task is not None:
                task.cancel()
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
        loop = asyncio.get_running_loop()
        self._began = began = time.monotonic()
        try:
            # The look-up keeps to its deadline but where it is flooded: this one holds whatever comes.
            async with asyncio.timeout(self._lookup.timeout):
                discovered, ttl = await loop.run_in_executor(self._thread, self._answer, began)
        except ResolutionFailedError as error:
            discovered, ttl = self._without_answer(str(error), began), self._max_age
        except TimeoutError:
            sentence = no_answer_within(self._lookup.timeout)
            discovered, ttl = self._without_answer(sentence, began), self._max_age
        except Exception:
            log.exception("Failed to read the DNS answer for %s", self._lookup.service)
            sentence = "DNS gave an answer that this pod failed to read; its log says why."
            discovered, ttl = self._without_answer(sentence, began), self._max_age
        took, listed = time.monotonic() - began, len(discovered.peers)
        self._observer.looked_up(took, listed, ok=discovered.failure is None)
        self._log_changes(discovered)
        self._last = discovered
        now, used_for = time.monotonic(), min(ttl, self._max_age)
        self._renewed_at, self._good_until = now + RENEWED_AT * used_for, now + used_for
        return discovered

    def _answer(self, now: float) -> tuple[Discovered, float]:
        service, records, ttl = self._lookup.run()
        peers, diagnostics = peers_in(records, service=service, pod=self._pod, port=self._port)
        if not records:
            diagnostics += self._nobody.diagnostics(service)
        return Discovered(service, tuple(peers), tuple(diagnostics), now, is_empty=not records), ttl

    def _without_answer(self, sentence: str, now: float) -> Discovered:
        failure = Diagnostic(ErrorCode.DNS_FAILED, sentence)
        last = self._last
        if last is not None and last.taken_at is not None and now - last.taken_at <= STALE_ANSWER_TIME:
            return replace(last, failure=failure)
        service = self._lookup.service.rstrip(".")
        alone, _ = peers_in((), service=service, pod=self._pod, port=self._port)
        return Discovered(service, tuple(alone), (), last.taken_at if last else None, failure)

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
