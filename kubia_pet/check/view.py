"""What one pod says of itself and of its peers, asked in one go."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kubia_pet.client.errors import AskError, RefusedError
from kubia_pet.client.pod import PodClient
from kubia_pet.reach.target import host_name

Members = Mapping[str, Any]
MOST_LINES = 20  # of evidence of one kind


@dataclass(frozen=True)
class PodView:
    """The answers of `pod`. Where one is None, what is beside it says why.

    `refusal` is why it says nothing at all; `not_ready` why it is not ready.
    """

    pod: PodClient
    peers: Members | None
    refusal: AskError | None
    ledger: Members | None
    no_ledger: str | None
    not_ready: AskError | None

    @property
    def error(self) -> str | None:
        """Why it says nothing at all, in a sentence."""
        return f"{self.pod.name} {self.refusal}" if self.refusal else None

    @property
    def unready(self) -> str | None:
        """Why it is not ready, as a sentence's end."""
        return str(self.not_ready) if self.not_ready else None

    @property
    def stranger(self) -> bool:
        """Whether it answers, but not as a kubia-pet does."""
        return isinstance(self.refusal, RefusedError) and self.refusal.status in (200, 403, 404, 405)

    @property
    def name(self) -> str:
        """What the pod calls itself; where it says nothing, what it is called here."""
        return str(self.peers["pod"]) if self.peers else self.pod.name

    @property
    def service(self) -> str | None:
        """The full name of the headless service by which it looks for its peers."""
        return self.peers["service"] if self.peers else None

    @property
    def full_name(self) -> str:
        """Its name with the service's, where it has one."""
        return f"{self.name}.{self.service}" if self.service else self.name

    @property
    def listed(self) -> tuple[str, ...]:
        """The full names of the peers that its discovery sees, itself included."""
        return tuple(each["name"] for each in self.peers["peers"]) if self.peers else ()

    @property
    def remembered(self) -> tuple[str, ...]:
        """The full names of the peers that its ledger has seen at any time."""
        return tuple(each["peer"] for each in self.ledger["witnesses"]) if self.ledger else ()

    @property
    def diagnostics(self) -> dict[str, str]:
        """What its discovery finds wrong: code and sentence."""
        return {each["code"]: each["message"] for each in (self.peers or {}).get("findings", ())}

    @property
    def dns_error(self) -> str | None:
        """Why its discovery uses an older answer, or none."""
        error = (self.peers or {}).get("error")
        return error["message"] if error else None


async def view(pod: PodClient) -> PodView:
    """Asks the pod; never raises."""
    peers, ledger, ready = await asyncio.gather(
        _tried(pod.peers()), _tried(pod.ledger()), _tried(pod.ready())
    )
    if isinstance(peers, dict) and "pod" not in peers:
        peers = RefusedError(200, "that is no kubia-pet's answer")
    return PodView(
        pod,
        peers=peers if isinstance(peers, dict) else None,
        refusal=peers if isinstance(peers, AskError) else None,
        ledger=ledger if isinstance(ledger, dict) else None,
        no_ledger=_no_ledger(ledger),
        not_ready=ready if isinstance(ready, AskError) else None,
    )


def _no_ledger(answer: object) -> str | None:
    if isinstance(answer, RefusedError) and answer.status == 404:  # noqa: PLR2004
        return "this version of kubia-pet keeps no ledger"
    return f"/ledger {answer}" if isinstance(answer, AskError) else None


def code_of(error: AskError | None) -> str | None:
    """The pet's own word for why, where it has one."""
    return error.code if isinstance(error, RefusedError) else None


async def _tried(asking: Awaitable[Any]) -> Any:
    try:
        return await asking
    except AskError as error:
        return error


def rank(name: str) -> tuple[int, str]:
    """The key that sorts host names by their ordinals."""
    number = name.rpartition("-")[2]
    return (int(number) if number.isdecimal() else -1), name


def short(names: Iterable[str]) -> str:
    """Names in a sentence: host names only, by their ordinals, so many of them."""
    all_names = sorted({host_name(each) for each in names}, key=rank)
    shown = ", ".join(all_names[:8])
    return f"{shown} and {len(all_names) - 8} more" if len(all_names) > 8 else shown  # noqa: PLR2004
