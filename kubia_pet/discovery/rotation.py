"""Ways to ask one question that a cache keeps apart, and whose turn it is.

Most clusters cache their DNS for 30 seconds: who asks in one way only may be told of a pod that long after
it has gone. But CoreDNS keeps a cache entry for each question *by name, type and the bits DO and CD*
(plugin/cache: `hash(qname, qtype, do, cd)`), and answers the same under two names: `_http._tcp.<service>` for
the port named http, and the bare name. So one thing can be asked in eight ways that grow old one by one.

They are taken by turns, in slots of the wall clock that the pods of a set share without a word, in a round
that is longer than 30 seconds: when a way's turn comes its entry has ended, the first pod that asks gets a
fresh answer, and the others get the same. So no answer is older than a slot, and a whole set asks one fresh
question in a slot, whatever its size. Thence two rules: a way is asked in its turn only, also by a pod that
starts, as an answer that is cached early is old when its turn comes; and where a process knows, from the TTL
of what it was told, that a way's entry has not ended, the next one's turn has come.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

CACHE_TIME = 30.0  # seconds: what kubeadm, providers and node-local caches have by default
# Seconds for all turns: each way's entry has ended a turn before its own, so that one may be taken early.
ROUND_TIME = CACHE_TIME * 8 / 7
_LATE = 0.5  # seconds by which a slot's fresh answer may come later, as its way was needed before
TTL_PRECISION = 1.5  # seconds: a TTL is a whole number of them, and clocks differ


@dataclass(frozen=True)
class Way:
    """One way to ask for the pods of a service: under which name, and with which bits (RFC 4035 §3.2)."""

    named: bool  # _http._tcp.<service>, not the bare name
    checking_disabled: bool = False  # CD
    dnssec_ok: bool = False  # DO

    @property
    def is_plain(self) -> bool:
        """Whether it has no bit that a server might not know."""
        return not (self.checking_disabled or self.dnssec_ok)


WAYS = tuple(Way(named, cd, do) for cd, do, named in product((False, True), (False, True), (True, False)))


class Rotation:
    """Which way to ask now. Times are seconds of the wall clock for slots, monotonic ones for TTLs."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._plain_only = self._takes_bits = False
        self._silences = 0  # in a row
        self._nobody_until = float("-inf")  # a round after both names were without a record
        self._absent: tuple[bool, float] | None = None  # the kind of name without an answer, and until when
        self._ends: dict[Way, float] = {}  # of each way's cache entry, as its answer's TTL said
        # Of answers that say nobody, and of others: the longest of the last rounds, and until when it counts.
        self._longest_ttl = {True: (0.0, 0.0), False: (0.0, 0.0)}
        self._slot: tuple[int, int] = (0, -1)  # number of ways, number of the slot
        self._began = 0.0  # this slot
        self._fresh = False  # whether an answer was made in this slot
        self._current = WAYS[0]

    @property
    def plain_only(self) -> bool:
        """Whether the name server was found not to answer questions with bits."""
        return self._plain_only

    @property
    def fresh(self) -> bool:
        """Whether an answer that was made in this slot came already: then its way is asked until it ends."""
        self._enter_slot()
        return self._fresh

    @property
    def slot_time(self) -> float:
        """Seconds that a way's turn lasts."""
        return ROUND_TIME / len(self._ways())

    def ways(self) -> tuple[Way, ...]:
        """The way to ask now, and the same under the other name, for where the first has no answer.

        Where neither had one each keeps to its turn: two of the eight in each slot would not last a round.
        """
        self._enter_slot()
        if not self._fresh:
            self._current = self._first_ended(0) or self._own(0)
        if time.monotonic() < self._nobody_until:
            return (self._current,)
        return self._current, replace(self._current, named=not self._current.named)

    def left(self) -> float:
        """Seconds in which no other way is due: until the slot ends, or until one has a fresh answer."""
        self._enter_slot()
        left = self.slot_time - self._clock() % self.slot_time
        if not self._fresh:
            left = min(left, min(self._ends.get(way, 0.0) for way in self._ways()) - time.monotonic())
        return max(0.0, left)

    def answered(self, way: Way, ttl: float, *, empty: bool) -> float:
        """Notes an answer and its TTL. Returns the seconds that it was in a cache, as far as can be told.

        One that has just been made has the longest TTL there is; one of a cache says what is left of it.
        """
        self._enter_slot()
        now, ttl = time.monotonic(), min(ttl, CACHE_TIME)
        longest, until = self._longest_ttl[empty]
        if ttl >= longest or now >= until:  # a server's TTL may be lowered
            longest = ttl
        if ttl >= longest - TTL_PRECISION:
            self._longest_ttl[empty] = longest, now + 2 * ROUND_TIME
        age = longest - ttl
        self._ends[way] = now + ttl
        self._current = way
        if not way.is_plain:
            self._takes_bits, self._silences = True, 0
        if not empty:
            self._nobody_until = float("-inf")
        self._fresh = self._fresh or now - age >= self._began - TTL_PRECISION
        return age

    def hurry(self) -> None:
        """Makes it the next way's turn, if that leaves enough for the turns to come.

        Each way has one fresh answer in CACHE_TIME seconds, and a round has one turn to spare.
        """
        self._enter_slot()
        following = self._first_ended(1)
        if following is None or following == self._current:
            return
        ways = self._ways()
        ends = [self._ends.get(way, 0.0) for way in ways if way != following]
        ends.append(time.monotonic() + CACHE_TIME)
        for slots in range(1, len(ways)):
            begins = self._began + slots * self.slot_time + _LATE
            if sum(end <= begins for end in ends) < slots:
                return
        self._current, self._fresh = following, True

    def refused(self, *, in_time: bool) -> None:
        """A question with bits had no answer, the plain one had. From now on all are plain.

        Where nothing came in time that may be chance: twice in a row it is not. A server that took such
        questions before and now answers that it failed does not refuse them.
        """
        self._silences += not in_time
        if (in_time and not self._takes_bits) or self._silences > 1:
            self._plain_only = True

    def has_no_answer(self, *, named: bool) -> None:
        """Names of this kind have no answer though the others have: they have no turn in the next round."""
        self._absent = named, time.monotonic() + ROUND_TIME

    def has_nobody(self) -> None:
        """Neither name has an answer."""
        self._nobody_until = time.monotonic() + ROUND_TIME

    def _ways(self) -> tuple[Way, ...]:
        if self._absent is not None and time.monotonic() >= self._absent[1]:
            self._absent = None
        absent = None if self._absent is None else self._absent[0]
        return tuple(
            way for way in WAYS if way.named is not absent and (way.is_plain or not self._plain_only)
        )

    def _enter_slot(self) -> None:
        ways, now = self._ways(), self._clock()
        length = ROUND_TIME / len(ways)
        slot = len(ways), int(now / length)
        if slot != self._slot:
            self._slot, self._fresh = slot, False
            self._began = time.monotonic() - now % length

    def _own(self, later: int) -> Way:
        ways = self._ways()
        return ways[(self._slot[1] + later) % len(ways)]

    def _first_ended(self, later: int) -> Way | None:
        now = time.monotonic()
        for each in range(later, len(self._ways())):
            if self._ends.get(way := self._own(each), 0.0) <= now:
                return way
        return None
