"""What is checked or probed: the pods of one set, and all that can be seen of it from here."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from kubia_pet.client.errors import AskError
from kubia_pet.client.pod import PodClient

Connect = Callable[[], AbstractAsyncContextManager[PodClient]]


@dataclass(frozen=True)
class Objects:
    """What the API server says, each as its JSON object; None: one may not ask for these."""

    pods: tuple[Mapping[str, Any], ...]
    stateful_sets: tuple[Mapping[str, Any], ...] | None
    services: tuple[Mapping[str, Any], ...] | None


@dataclass(frozen=True, kw_only=True)
class Target:
    """A set of pods in the order of their ordinals. What is None or empty has its reason in `unseen`.

    `service` is the headless service's full name. Each request to `public`, the other service, is a
    connection of its own, while those of one `connect` go to one pod, where that can be. `nameserver` says
    which name server to ask, where that can be done from here, and `api` asks the API server. `may_remove`
    says whether a value can be taken away again, `replicas` how many pods there must be, if that is known.
    `port` is the pods' own, where the service's records name a wrong one.
    """

    where: str
    pods: tuple[PodClient, ...]
    public: PodClient | None = None
    connect: Connect | None = None
    service: str | None = None
    asks_dns: bool = False
    nameserver: tuple[str, int] | None = None
    port: int = 8080
    replicas: int | None = None
    objects: Objects | None = None
    namespace: str | None = None
    api: PodClient | None = None
    may_remove: bool = True
    kubectl: tuple[str, ...] = ()
    unseen: Mapping[str, str] = field(default_factory=dict)

    @property
    def apart(self) -> tuple[PodClient, ...]:
        """The pods that can be asked one by one: none where only their Service can be reached."""
        return () if "pods" in self.unseen else self.pods


def is_ready(found: Mapping[str, Any]) -> bool:
    """Whether the cluster calls this pod, or node, ready: by that word a StatefulSet goes on."""
    conditions = found["status"].get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def last_words(target: Target, pod: str) -> str:
    """The last line of the pod's log, or of the one of its last start; empty where that cannot be seen."""
    if target.api is None:
        return ""
    for which in ("", "&previous=true"):
        path = f"api/v1/namespaces/{target.namespace}/pods/{pod}/log?tailLines=1{which}"
        try:
            answer = await target.api.ask("GET", path)
        except AskError:
            continue
        if answer.status == 200 and answer.text.strip():  # noqa: PLR2004
            return answer.text.strip().rpartition("\n")[2]
    return ""


def host_name(name: str) -> str:
    """The first label of a pod's full name."""
    return name.partition(".")[0]


def in_order(pods: Iterable[PodClient]) -> tuple[PodClient, ...]:
    """By ordinal, those without one last."""

    def rank(pod: PodClient) -> tuple[bool, int, str]:
        number = re.search(r"-(\d{1,9})$", pod.name)
        return number is None, int(number[1]) if number else 0, pod.name

    return tuple(sorted(pods, key=rank))
