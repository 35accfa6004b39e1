"""The newest result of each peer, which gatherings that overlap share."""

from kubia_pet.model.diagnostic import Diagnostic, ErrorCode
from kubia_pet.model.peer import Peer, Rank
from kubia_pet.peers.result import PeerResult


class Results:
    """What peers said, each with the moment at which it was asked.

    A gathering takes what was asked for since it began, by whomever: so many gatherings at the same time hold
    no more than one. The values have at most `limit` bytes together, this pod's own aside. Where there are
    more, those of the first peers in the order of ordinals stay, as many as together keep within the limit,
    and every other one is left out, whoever answered first.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left_out = Diagnostic(
            ErrorCode.TOO_MUCH, f"left out: the answers together exceed {limit} bytes"
        )
        self.clear()

    def clear(self) -> None:
        """Forgets all."""
        self._newest: dict[str, tuple[int, PeerResult]] = {}
        self._size = 0
        self._end: Rank | None = None  # of the first peer that is left out

    def put(self, moment: int, result: PeerResult) -> None:
        """The result of a request that was sent after `moment`."""
        peer = result.peer
        before, old = self._newest.get(peer.name, (moment, None))
        if before > moment:
            return  # a later request was answered first
        if old is not None and not peer.is_self:
            self._size -= old.size
        if self._end is not None and result.size and peer.rank >= self._end and not peer.is_self:
            result = PeerResult(peer, error=self._left_out)
        self._newest[peer.name] = moment, result
        if not peer.is_self:
            self._size += result.size
            while self._size > self._limit:
                self._leave_out_the_last()

    def newest(self, peer: Peer) -> PeerResult:
        """The peer's newest result. Whoever has put one for each of its peers gets none that is older."""
        return self._newest[peer.name][1]

    def _leave_out_the_last(self) -> None:
        moment, last = max(
            (each for each in self._newest.values() if each[1].size and not each[1].peer.is_self),
            key=lambda each: each[1].peer.rank,
        )
        self._end = last.peer.rank
        self._size -= last.size
        self._newest[last.peer.name] = moment, PeerResult(last.peer, error=self._left_out)
