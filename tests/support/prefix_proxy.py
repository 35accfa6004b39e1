"""A reverse proxy that serves a pod below a path, as ingresses and the API server do."""

import http.client
import itertools
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

_NOT_PASSED_ON = {"connection", "transfer-encoding", "content-length", "host"}


class PrefixProxy:
    """Passes on what is asked below `prefix`, and the prefix itself, with or without its last slash.

    Where there are `others` requests go to each in turn. Everything else is a 404, and is noted in `strays`.
    """

    def __init__(self, upstream: str, prefix: str, *others: str) -> None:
        self.strays: list[str] = []
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0),
            _handler(self, itertools.cycle(urlsplit(each).netloc for each in (upstream, *others)), prefix),
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}{prefix}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(proxy: PrefixProxy, upstreams: Iterator[str], prefix: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            path = self.path.removeprefix(prefix)
            if path == self.path or not path.startswith(("", "/", "?")):
                proxy.strays.append(self.path)
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            connection = http.client.HTTPConnection(next(upstreams), timeout=30)
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED_ON
            }
            try:
                connection.request(
                    self.command, path or "/", body or None, headers | {"Host": self.headers["Host"]}
                )
                self._answer(connection.getresponse())
            except OSError:
                self.close_connection = True  # the browser has left, or the pod
            finally:
                connection.close()

        def _answer(self, response: http.client.HTTPResponse) -> None:
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in _NOT_PASSED_ON:
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            while piece := response.read1():
                self.wfile.write(piece)
                self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

        do_GET = do_POST = do_PUT = do_DELETE = _pass_on  # noqa: N815 - as the base class calls them

    return Handler
