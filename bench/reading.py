"""What a reader waits for: `GET /data` and `GET /`, in every form."""

from collections.abc import Iterator

from bench.baseline import VALUE
from bench.effort import Bench
from bench.figures import Figure, compare
from bench.load import Request, Server
from bench.machine import OTHER_CORES
from bench.servers import answer, ask, has_value, of

_NGINX = {1: "≤ 1.2 nginx", 16: "≤ 1.2 nginx", 64: "≤ 1.0 nginx"}  # by connections, CPU
_DATA_RATE = {(16, True): "≥ 2.24 the original", (16, False): "≥ 2.2 the original"}
_OVERVIEW_RATE = {  # by connections, and whether the pods have values
    (1, True): "≥ 3.7 the original", (16, True): "≥ 21 the original", (64, True): "≥ 55 the original",
    (1, False): "≥ 3.5 the original", (16, False): "≥ 20 the original", (64, False): "≥ 50 the original",
}  # fmt: skip
_PROXIED = 16  # clients behind one proxy
_VALUED = {True: "", False: ", no value (404)"}


def data(bench: Bench) -> Iterator[Figure]:
    """One pod's value, there or not, and every other form of answer, beside what people would run instead."""
    with bench.servers() as servers:
        pods = [servers.pod() for _ in range(3)]
        for pod, value in zip(pods, (VALUE, b""), strict=False):
            ask(pod.url, value)
        full, blank, empty = map(of, pods)
        requests = {
            "full": Request(full),
            "empty": Request(empty, status=404),
            "bare": Request(servers.bare()),
        }
        requests |= {
            "If-None-Match (304)": Request(
                full, headers=(f"If-None-Match: {answer(f'{full.url}/data').headers['ETag']}",)
            ),
            "HEAD": Request(blank, method="HEAD"),  # wrk would wait for the body of any other
            "GET / alone": Request(full, "/"),
            "GET / alone, as JSON": Request(full, "/", headers=("Accept: application/json",)),
        }
        forms = list(requests)[3:]
        if nginx := servers.nginx(VALUE, pods[0]):
            requests["nginx"] = Request(nginx, "/static")
        if found := servers.podinfo(VALUE):
            requests["podinfo"] = Request(*found)
        if bench.ours:
            requests["full" if has_value(bench.ours) else "empty"] = _data_of(bench.ours)
        if bench.against:
            requests["against"] = _data_of(bench.against)
        for connections in bench.effort.connections:
            samples = bench.load(requests, connections)
            at = f"{connections} at a time"
            for ours, valued in (("full", True), ("empty", False)):
                bases = ("nginx", "podinfo", "bare", *bench.rivals(valued=valued))
                name = f"GET /data{_VALUED[valued]}, {at}"
                yield from compare(name, "CPU µs", _NGINX.get(connections, ""), samples, ours, *bases)
                goal = _DATA_RATE.get((connections, valued), "")
                yield from compare(name, "requests/s", goal, samples, ours, *bases)
            for form in () if bench.ours else forms:  # another machine's pod is no measure for them
                yield from compare(f"{form}, {at}", "CPU µs", "≤ 2 GET /data", samples, form, "full")


def clients(bench: Bench) -> Iterator[Figure]:
    """Clients that differ in their headers, each on its own connection, and those behind a reverse proxy."""
    with bench.servers() as servers:
        pod = servers.pod()
        ask(pod.url, VALUE)
        proxy = servers.nginx(VALUE, pod, OTHER_CORES)
        for connections in bench.effort.connections[-2:]:
            requests = {"equal": Request(of(pod)), "differ": Request(of(pod), differ=True)}
            if connections == _PROXIED and proxy:
                behind = Server(proxy.url, pod.process.pid)
                requests["behind nginx"] = Request(behind)
                requests["differ behind nginx"] = Request(behind, differ=True)
            samples = bench.load(requests, connections)
            for who in list(samples)[1:]:
                name = f"GET /data, {connections} clients: {who}"
                yield from compare(name, "CPU µs", "≤ 2 equal ones", samples, who, "equal")
                goal = "" if "nginx" in who else "≥ 1/2 of equal ones"  # its own work bounds the rate
                yield from compare(name, "requests/s", goal, samples, who, "equal")


def overview(bench: Bench) -> Iterator[Figure]:
    """All of a set of real pods, before any has a value and when all have; another set is taken as it is."""
    if bench.ours:
        with bench.servers() as servers:
            yield from _overview(bench, bench.ours, servers.bare(), valued=has_value(bench.ours))
        return
    with bench.servers() as servers:
        pods, bare = servers.peers(bench.effort.pods), servers.bare()
        yield from _overview(bench, of(pods[0]), bare, valued=False)
        for pod in pods:
            ask(pod.url, VALUE)
        yield from _overview(bench, of(pods[0]), bare, valued=True)


def _overview(bench: Bench, ours: Server, bare: Server, *, valued: bool) -> Iterator[Figure]:
    rivals = bench.rivals(valued=valued)
    requests = {
        name: Request(server, "/") for name, server in ({"ours": ours, "bare": bare} | rivals).items()
    }
    for connections in bench.effort.connections:
        samples = bench.load(requests, connections)
        with_values = "" if valued else ", no values"
        name = f"GET / with {bench.effort.pods} peers{with_values}, {connections} at a time"
        goal = _OVERVIEW_RATE.get((connections, valued), "")
        yield from compare(name, "requests/s", goal, samples, "ours", "bare", *rivals)
        for unit in ("p50 ms", "p99 ms", "CPU µs"):
            yield from compare(name, unit, "", samples, "ours", "bare", *rivals)


def _data_of(server: Server) -> Request:
    return Request(server, status=answer(f"{server.url}/data").status)
