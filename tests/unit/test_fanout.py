"""Nobody that was asked is forgotten: each peer is told of, or among those that were late."""

import asyncio

from kubia_pet.model.peer import Peer
from kubia_pet.peers.connection import Response
from kubia_pet.peers.fanout import FanOut

IN_TIME, AT_THE_END, LATE = (Peer(f"kubia-{each}", is_self=False, endpoints=()) for each in range(3))


async def test_an_answer_that_comes_as_the_fan_out_ends_is_told_once_and_not_late() -> None:
    loop = asyncio.get_running_loop()
    responses = {peer.name: loop.create_future() for peer in (IN_TIME, AT_THE_END, LATE)}
    told: list[str] = []

    def on_done(peer: Peer, _: asyncio.Future[Response]) -> None:
        told.append(peer.name)

    fan_out = FanOut((IN_TIME, AT_THE_END, LATE), lambda peer: responses[peer.name], on_done)
    responses[IN_TIME.name].set_result(None)
    await asyncio.sleep(0)
    responses[AT_THE_END.name].set_result(None)  # the loop has not told anybody yet
    assert fan_out.cancel() == {LATE: responses[LATE.name]}
    await asyncio.sleep(0)
    assert told == [IN_TIME.name, AT_THE_END.name]
