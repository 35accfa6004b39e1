"""The newest result of each peer, which gatherings that overlap share."""

from kubia_pet.model.diagnostic import Diagnostic, ErrorCode
from kubia_pet.model.peer import Peer, Rank
from kubia_pet.peers.result import PeerResult


class Results:
    """What peers said, each with the moment at which it was asked.

    A gathering takes what was asked for since it began, by whomever: so many gatherings at the same time hold
    no more than one. The values have at most `limit` bytes together, this pod's own aside. Where there are
    more, those of the first peers in the order of ordinals stay, as many as together keep within the limit,
    and every other one is left out, whoever answered first. Its size is remembered, so that this is so no
    longer than until all have room.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left_out = Diagnostic(
            ErrorCode.TOO_MUCH, f"left out: the answers together exceed {limit} bytes"
        )
        self._newest: dict[str, tuple[int, PeerResult]] = {}
        self._omitted: dict[str, tuple[Rank, int]] = {}  # those that are left out, and their sizes
        self.size = 0  # of all that is held

    def forget(self, *, before: float) -> None:
        """Forgets what was asked for earlier: no gathering that is under way takes it."""
        for name in [name for name, (moment, _) in self._newest.items() if moment < before]:
            self._drop(name)

    def put(self, moment: int, result: PeerResult) -> None:
        """The result of a request that was sent after `moment`."""
        peer = result.peer
        before, _ = self._newest.get(peer.name, (moment, None))
        if before > moment:
            return  # a later request was answered first
        self._drop(peer.name)
        self._newest[peer.name] = moment, result
        if peer.is_self or not result.size:
            return
        self.size += result.size
        known = self.size + sum(size for _, size in self._omitted.values())
        if known > self._limit and any(rank < peer.rank for rank, _ in self._omitted.values()):
            self._omit(peer.name)
        while self.size > self._limit:
            self._omit(self._last())

    def newest(self, peer: Peer) -> PeerResult:
        """The peer's newest result. Whoever has put one for each of its peers gets none that is older."""
        return self._newest[peer.name][1]

    def _drop(self, name: str) -> None:
        _, old = self._newest.pop(name, (0, None))
        self._omitted.pop(name, None)
        if old is not None and not old.peer.is_self:
            self.size -= old.size

    def _omit(self, name: str) -> None:
        moment, result = self._newest[name]
        self.size -= result.size
        self._omitted[name] = result.peer.rank, result.size
        self._newest[name] = moment, PeerResult(result.peer, error=self._left_out)

    def _last(self) -> str:
        held = (each.peer for _, each in self._newest.values() if each.size and not each.peer.is_self)
        return max(held, key=lambda peer: peer.rank).name
