"""A stand-in for the book's original, kubia-pet-peers: its protocol, told by its source, faults included.

Every path answers 200, `/data` the raw value, "No data posted yet" without one; a POST truncates the file
in place; the list is in the order of DNS and takes whatever a peer's `/data` says for its data.
"""

import http.client
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dns.resolver

DATA = Path("/var/data/kubia.txt")


class Original(BaseHTTPRequestHandler):
    """Answers as the original does."""

    def do_GET(self) -> None:
        """The value, or the list."""
        if self.path == "/data":
            self.answer(DATA.read_bytes() if DATA.exists() else b"No data posted yet")
            return
        lines = [f"You've hit {socket.gethostname()}", "Data stored in the cluster:"]
        for record in dns.resolver.resolve("kubia", "SRV", search=True):
            name = record.target.to_text(omit_final_dot=True)
            peer = http.client.HTTPConnection(name, 8080, timeout=5)
            peer.request("GET", "/data")
            lines.append(f"- {name}: {peer.getresponse().read().decode()}")
            peer.close()
        self.answer("".join(f"{line}\n" for line in lines).encode())

    def do_POST(self) -> None:
        """Stores the body."""
        DATA.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(f"Data stored on pod {socket.gethostname()}\n".encode())

    def answer(self, body: bytes) -> None:
        """Without a Content-Type or any other header, as the original."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    print("Server listening on port 8080", file=sys.stderr)  # noqa: T201 - the original's only line
    ThreadingHTTPServer(("", 8080), Original).serve_forever()
