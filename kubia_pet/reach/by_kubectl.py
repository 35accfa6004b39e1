"""From anywhere that kubectl works: each pod by the API server's proxy."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from kubia_pet.client.errors import AskError
from kubia_pet.client.pod import PodClient
from kubia_pet.client.sessions import session
from kubia_pet.reach.kubectl import API, current_context, kubectl_proxy, listed
from kubia_pet.reach.target import Objects, Target, in_order
from kubia_pet.reach.way import UnreachableError, Way


@asynccontextmanager
async def by_kubectl(namespace: str, way: Way) -> AsyncIterator[Target]:
    """The running pods that the selector finds in the namespace."""
    context = await current_context()
    async with kubectl_proxy(context) as socket, session(token=way.token, socket=socket) as kept:
        api = PodClient(kept, API, name="")
        objects = await _objects(api, namespace, way.selector)
        base = f"{API}api/v1/namespaces/{namespace}"
        pods = in_order(
            PodClient(kept, f"{base}/pods/{pod['metadata']['name']}/proxy/", name=pod["metadata"]["name"])
            for pod in objects.pods
            if is_running(pod)
        )
        if not pods:
            raise UnreachableError(
                f"No pod with the label {way.selector} runs in namespace {namespace}: see --selector."
            )
        unseen = {}
        name = way.public or _public_name(objects)
        if name is None:
            unseen["public"] = (
                "services may not be listed with these rights: name the public one with --public"
                if objects.services is None
                else "no Service with an address of its own selects these pods"
            )
        public = PodClient(kept, f"{base}/services/{name}/proxy/", name="") if name else None
        yield Target(
            where=f"namespace {namespace}",
            pods=pods,
            public=public,
            connect=partial(_as_it_comes, public) if public else None,
            objects=objects,
            api=api,
            may_remove=await _may_remove(api, namespace),
            kubectl=context,
            namespace=namespace,
            service=way.service,
            replicas=way.replicas,
            unseen=unseen,
        )


@asynccontextmanager
async def _as_it_comes(public: PodClient) -> AsyncIterator[PodClient]:
    """The API server chooses a pod for each request, whatever the connection."""
    yield public


async def _may_remove(api: PodClient, namespace: str) -> bool:
    """Whether these rights suffice to remove a pod's value; yes where nobody says."""
    wanted = {"namespace": namespace, "verb": "delete", "resource": "pods", "subresource": "proxy"}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    body = json.dumps(review | {"spec": {"resourceAttributes": wanted}}).encode()
    try:
        answer = await api.ask(
            "POST",
            "apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            data=body,
            headers={"Content-Type": "application/json"},
        )
        return answer.status != HTTPStatus.CREATED or bool(json.loads(answer.body)["status"]["allowed"])
    except (AskError, ValueError, KeyError):
        return True


async def _objects(api: PodClient, namespace: str, selector: str) -> Objects:
    pods, stateful_sets, services = await asyncio.gather(
        listed(api, f"api/v1/namespaces/{namespace}/pods?labelSelector={quote(selector)}"),
        listed(api, f"apis/apps/v1/namespaces/{namespace}/statefulsets"),
        listed(api, f"api/v1/namespaces/{namespace}/services"),
    )
    if pods is None:
        raise UnreachableError(
            f"You may not list pods in namespace {namespace}: ask with --namespace or a URL."
        )
    return Objects(pods, stateful_sets, services)


def is_running(pod: Mapping[str, Any]) -> bool:
    """Whether its containers run, and nobody has deleted it."""
    return pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]


def selects(service: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    """Whether the service's selector fits the pod's labels."""
    selector = service["spec"].get("selector") or {}
    labels = pod["metadata"].get("labels", {})
    return bool(selector) and selector.items() <= labels.items()


def _public_name(objects: Objects) -> str | None:
    """The Service with an address that selects most pods, as the API server's proxy wants it named."""
    best, most = None, 0
    for service in objects.services or ():
        count = sum(selects(service, pod) for pod in objects.pods)
        if service["spec"].get("clusterIP") != "None" and count > most:
            best, most = service, count
    if best is None:
        return None
    port = next((each["name"] for each in best["spec"].get("ports", ()) if each.get("name")), "")
    return f"{best['metadata']['name']}" + (f":{port}" if port else "")
