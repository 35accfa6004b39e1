"""What `check --watch` says and judges where kubectl is not asked, as from within a cluster."""

import pytest

from kubia_pet.check import watch
from kubia_pet.check.life import Life
from kubia_pet.check.result import Status, passed
from kubia_pet.client.pod import PodClient
from kubia_pet.reach.target import Target

INSIDE = Target(
    where="inside",
    service="kubia.zoo.svc.cluster.local",
    pods=tuple(
        PodClient(None, f"http://10.0.0.{ordinal}:8080/", name=f"kubia-{ordinal}")  # type: ignore[arg-type] # never asked
        for ordinal in range(2)
    ),
)
BACK = passed("kubia-1 came back.", "kubia-1: node unknown")


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("delete", ["kubectl --namespace zoo delete pod kubia-1"]),
        ("rollout", ["kubectl --namespace zoo rollout restart statefulset kubia"]),
        (
            "move",
            ["kubectl cordon NODE", "kubectl --namespace zoo delete pod kubia-1", "kubectl uncordon NODE"],
        ),
    ],
)
def test_what_to_type_is_for_the_sets_own_namespace(kind: str, lines: list[str]) -> None:
    said = watch._instruction(INSIDE, kind, node=None)  # noqa: SLF001 - without a cluster
    assert [line.strip() for line in said.splitlines() if line.startswith("  ")] == lines
    assert said.endswith("Watching kubia ...")


def test_a_pod_that_did_not_move_is_told_so_far_as_nodes_are_known() -> None:
    life = Life("a", None, "v0", None)
    found = watch._moved("kubia-1", life, life, BACK)  # noqa: SLF001 - without a cluster
    assert found.status is Status.UNKNOWN
    assert "on which node is not known" in found.message


async def test_whether_a_set_was_changed_is_not_known_without_the_api_server() -> None:
    generation = await watch._generation(INSIDE)  # noqa: SLF001 - without a cluster
    found = watch._changed("scaled", generation, generation, BACK)  # noqa: SLF001 - likewise
    assert found.status is Status.UNKNOWN
    assert "Whether it was scaled is not known from here." in found.message
