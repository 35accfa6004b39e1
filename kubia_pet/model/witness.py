"""What a witness keeps of a peer's volume, so that it can say what the peer has lost."""

from dataclasses import replace

from kubia_pet.model.ledger import Sighting

KEPT = 4  # sightings of one peer, each of another start


def seen_again(known: tuple[Sighting, ...], sighting: Sighting, *, told: bool) -> tuple[Sighting, ...]:
    """What is known of a peer, the newest last, with this sighting.

    A start is kept with the most commits that it was seen with. Those before the newest one are kept until
    the peer was `told` of them: otherwise the first answer of a volume that was put back would cover its
    traces. The first of each volume stays: it tells a volume that is given back from one that is new. Of too
    many the first is kept, as it is evidence, and the newest.
    """
    same = [each for each in known if (each.volume, each.start) == (sighting.volume, sighting.start)]
    kept = [each for each in known if each not in same]
    count = max(sighting.count, *(each.count for each in same)) if same else sighting.count
    if told and not same:
        first = {each.volume: each for each in reversed(kept)}.values()
        kept = [each for each in kept if each in first or each is kept[-1]]
    return (*kept[:1], *kept[1:][-(KEPT - 2) :], replace(sighting, count=count))
