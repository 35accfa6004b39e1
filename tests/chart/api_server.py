"""Stands in for an API server with the StatefulSets of one namespace: what Helm asks before it acts."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

_STATEFUL_SETS = {
    "name": "statefulsets",
    "singularName": "statefulset",
    "namespaced": True,
    "kind": "StatefulSet",
    "verbs": ["get"],
}
_DISCOVERY: dict[str, dict[str, Any]] = {
    "/version": {"major": "1", "minor": "37", "gitVersion": "v1.37.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [
            {
                "name": "apps",
                "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
                "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
            }
        ],
    },
    "/apis/apps/v1": {"kind": "APIResourceList", "groupVersion": "apps/v1", "resources": [_STATEFUL_SETS]},
}


@contextmanager
def api_server(*stateful_sets: dict[str, Any]) -> Iterator[str]:
    """Its URL; the objects given are those of the namespace `zoo`."""
    there = {
        f"/apis/apps/v1/namespaces/zoo/statefulsets/{each['metadata']['name']}": each
        for each in stateful_sets
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = re.sub(r"\?.*", "", self.path)
            found = (_DISCOVERY | there).get(path)
            body = json.dumps(
                found
                or {
                    "kind": "Status",
                    "apiVersion": "v1",
                    "status": "Failure",
                    "reason": "NotFound",
                    "code": 404,
                }
            ).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
