"""What `check` asks of a Kubernetes API server, in front of real pods that are processes of this machine."""

import asyncio
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

NAMESPACE = "zoo"


@dataclass
class ApiServer:
    """Lists objects and proxies to pods as the real one does; kubectl is told of it by `kubeconfig`.

    `pods` maps names to URLs, `services` to the pods that each request may go to, in turn. Lists in
    `forbidden` may not be asked for, nor may anything be deleted where "delete" is there; of pods what is in
    `hidden` is not there.
    """

    directory: Path
    pods: dict[str, str]
    objects: dict[str, list[dict[str, Any]]]  # by the plural of their kind
    services: dict[str, Sequence[str]] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)  # paths
    refuses_changes: bool = False  # as while the authorizer is not ready yet
    refused: int = 0  # changes
    asked_for_nobody: int = 0  # requests to pods that are not there
    looked: int = 0  # at one object
    _turn: int = 0

    def __enter__(self) -> Self:
        started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def kubeconfig(self) -> Mapping[str, str]:
        """The environment in which kubectl finds this server."""
        path = self.directory / "kubeconfig"
        cluster = {"name": "stand-in", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}
        context = {"name": "stand-in", "context": {"cluster": "stand-in", "user": ""}}
        path.write_text(
            json.dumps({"clusters": [cluster], "contexts": [context], "current-context": "stand-in"})
        )
        return {"KUBECONFIG": str(path)}

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(started))
        self._loop.close()

    async def _serve(self, started: threading.Event) -> None:
        self._stop = asyncio.Event()
        app = web.Application(client_max_size=1 << 24)
        base = f"/api/v1/namespaces/{NAMESPACE}"
        app.router.add_get(base + "/{kind}", self._list)
        app.router.add_get(f"/apis/apps/v1/namespaces/{NAMESPACE}" + "/{kind}", self._list)
        app.router.add_get(base + "/{kind}/{name}", self._get)
        app.router.add_get(f"/apis/apps/v1/namespaces/{NAMESPACE}" + "/{kind}/{name}", self._get)
        app.router.add_post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", self._review)
        app.router.add_get(base + "/pods/{name}/log", self._log)
        app.router.add_route("*", base + "/{kind}/{name}/proxy/{path:.*}", self._proxy)
        async with aiohttp.ClientSession(auto_decompress=False) as self._session:
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            started.set()
            await self._stop.wait()
            await runner.cleanup()

    async def _list(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        if kind in self.forbidden:
            return _status(HTTPStatus.FORBIDDEN, f'{kind} is forbidden: User "x" cannot list resource')
        wanted = dict(pair.split("=") for pair in request.query.get("labelSelector", "").split(",") if pair)
        items = [
            each
            for each in self.objects.get(kind, [])
            if wanted.items() <= each["metadata"].get("labels", {}).items()
        ]
        return web.json_response({"kind": "List", "items": items})

    async def _get(self, request: web.Request) -> web.Response:
        self.looked += 1
        kind, name = request.match_info["kind"], request.match_info["name"]
        if kind in self.forbidden:
            return _status(
                HTTPStatus.FORBIDDEN, f'{kind} "{name}" is forbidden: User "x" cannot get resource'
            )
        found = [each for each in self.objects[kind] if each["metadata"]["name"] == name]
        return web.json_response(found[0]) if found else _status(HTTPStatus.NOT_FOUND, "not found")

    async def _review(self, request: web.Request) -> web.Response:
        wanted = (await request.json())["spec"]["resourceAttributes"]
        allowed = wanted["verb"] not in self.forbidden
        return web.json_response({"status": {"allowed": allowed}}, status=HTTPStatus.CREATED)

    async def _log(self, request: web.Request) -> web.Response:
        path = self.directory / f"{request.match_info['name']}.log"
        return web.Response(text=path.read_text() if path.exists() else "")

    async def _proxy(self, request: web.Request) -> web.StreamResponse:
        """As k8s.io/apimachinery's UpgradeAwareHandler: Host is the pod's address, Authorization is gone."""
        kind, name = request.match_info["kind"], request.match_info["name"].partition(":")[0]
        if kind == "services":
            self._turn += 1
            name = self.services[name][self._turn % len(self.services[name])]
        if self.refuses_changes and request.method != "GET":
            self.refused += 1
            return _status(HTTPStatus.FORBIDDEN, f'pods "{name}" is forbidden')
        if name not in self.pods:
            self.asked_for_nobody += 1
            return _status(HTTPStatus.NOT_FOUND, f'pods "{name}" not found')
        if request.match_info["path"] in self.hidden:
            return web.Response(status=HTTPStatus.NOT_FOUND, text="404: Not Found")
        url = f"{self.pods[name]}/{request.match_info['path']}"
        headers = {k: v for k, v in request.headers.items() if k not in {"Host", "Authorization"}}
        try:
            async with self._session.request(
                request.method, url, data=await request.read() or None, headers=headers
            ) as response:
                return web.Response(
                    status=response.status,
                    body=await response.read(),
                    headers={
                        k: v for k, v in response.headers.items() if k not in {"Content-Length", "Connection"}
                    },
                )
        except aiohttp.ClientConnectorError as error:
            sentence = f"error trying to reach service: dial tcp {url}: {error.strerror}"
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, text=sentence)


def _status(code: HTTPStatus, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "message": message, "code": code}, status=code)
