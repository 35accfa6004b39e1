"""The dashboard's panels: what each shows, and the queries behind it, in the order of its rows.

`namespace`, `job` and `pod` are the labels that a PodMonitor gives. Where Prometheus scrapes without one, as
in front of a local set, there is no `pod`, and `instance` tells them apart.
"""

from typing import NamedTuple

CHOSEN = 'namespace=~"$namespace", job=~"$job"'
EACH_POD = "pod, instance"
POD = "{{pod}} {{instance}}"


class Query(NamedTuple):
    """A PromQL expression, and how its lines are called."""

    expression: str
    legend: str


class Panel(NamedTuple):
    """One graph; `unit` as Grafana names it."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]


def _value(metric: str, legend: str = POD) -> Query:
    return Query(f"{metric}{{{CHOSEN}}}", legend)


def _rate(metric: str, by: str, legend: str, only: str = "") -> Query:
    return Query(f"sum by ({by}) (rate({metric}{{{CHOSEN}{only}}}[$__rate_interval]))", legend)


def _quantiles(metric: str, by: str, legend: str) -> tuple[Query, ...]:
    rates = _rate(f"{metric}_bucket", f"le, {by}", "").expression
    return tuple(
        Query(f"histogram_quantile({quantile}, {rates})", f"{legend} p{quantile * 100:g}")
        for quantile in (0.5, 0.99)
    )


ROWS: dict[str, tuple[Panel, ...]] = {
    "The set": (
        Panel(
            "Pods",
            "How many are ready, of those that Prometheus reaches.",
            "none",
            (
                Query(f"sum(kubia_pet_ready{{{CHOSEN}}})", "ready"),
                Query(f"count(kubia_pet_ready{{{CHOSEN}}})", "scraped"),
            ),
        ),
        Panel("Ready", "1: on the Services and on its peers' lists.", "none", (_value("kubia_pet_ready"),)),
        Panel("Watchers", "Who has the page open.", "none", (_value("kubia_pet_watchers"),)),
        Panel(
            "Peers listed",
            "Pods that each pod knows from the DNS, itself included. All lines should be one.",
            "none",
            (_value("kubia_pet_peers_listed"),),
        ),
        Panel(
            "Versions",
            "How many pods run which: two during an upgrade.",
            "none",
            (Query(f"count by (version) (kubia_pet_build_info{{{CHOSEN}}})", "{{version}}"),),
        ),
    ),
    "Requests": (
        Panel(
            "Requests",
            "Answered, by route.",
            "reqps",
            (_rate("kubia_pet_request_seconds_count", "route, method", "{{method}} {{route}}"),),
        ),
        Panel(
            "Errors",
            "Answers from 400 up, by route and status. 404 of /data: there is no value yet.",
            "reqps",
            (
                _rate(
                    "kubia_pet_request_seconds_count",
                    "route, method, status",
                    "{{method}} {{route}} {{status}}",
                    ', status=~"[45].."',
                ),
            ),
        ),
        Panel(
            "Time to answer",
            "By route; GET / waits for the slowest peer.",
            "s",
            _quantiles("kubia_pet_request_seconds", "route, method", "{{method}} {{route}}"),
        ),
    ),
    "Kept out": (
        Panel(
            "Refused",
            "What was no HTTP, and what found no room: requests, bodies, answers.",
            "ops",
            (_rate("kubia_pet_refused_total", "what", "{{what}}"),),
        ),
        Panel(
            "Cut off",
            "Connections that made room for others, answers that nobody took, lines of the log.",
            "ops",
            (
                _rate("kubia_pet_connections_evicted_total", EACH_POD, f"{POD} evicted"),
                _rate("kubia_pet_answers_cut_total", EACH_POD, f"{POD} cut"),
                _rate("kubia_pet_log_lines_dropped_total", EACH_POD, f"{POD} lines dropped"),
            ),
        ),
    ),
    "Volume": (
        Panel(
            "Faults of volumes",
            "1: full, slow (hung), unconfirmed (a crash may take a change back), locked, unavailable.",
            "none",
            (_value("kubia_pet_volume_fault", "{{pod}} {{instance}} {{fault}}"),),
        ),
        Panel(
            "Verdicts on volumes",
            "What ledger and peers say of each: good, or what is wrong with it.",
            "none",
            (Query(f"kubia_pet_verdict{{{CHOSEN}}} == 1", "{{pod}} {{instance}} {{verdict}}"),),
        ),
        Panel(
            "Commits",
            "Durable writes and removals, by outcome, and the requests that shared another one's commit.",
            "ops",
            (
                _rate("kubia_pet_commit_seconds_count", "outcome", "{{outcome}}"),
                _rate("kubia_pet_commits_shared_total", "job", "shared"),
            ),
        ),
        Panel(
            "Time of a commit",
            "Two fsyncs and a rename: what the storage costs.",
            "s",
            _quantiles("kubia_pet_commit_seconds", EACH_POD, POD),
        ),
        Panel(
            "Broken on purpose",
            "1 for each fault that somebody set, for a lesson (--faults).",
            "none",
            (Query(f"kubia_pet_fault{{{CHOSEN}}} == 1", "{{pod}} {{instance}} {{fault}}"),),
        ),
        Panel("Size of the value", "When last seen.", "bytes", (_value("kubia_pet_value_bytes"),)),
    ),
    "Peers and DNS": (
        Panel(
            "Peers asked",
            "For their value, by outcome: ok or the code of the error.",
            "ops",
            (_rate("kubia_pet_peers_asked_total", "outcome", "{{outcome}}"),),
        ),
        Panel(
            "Look-ups",
            "In the DNS, by outcome.",
            "ops",
            (_rate("kubia_pet_discovery_seconds_count", "outcome", "{{outcome}}"),),
        ),
        Panel(
            "Time of a look-up",
            "All questions of one discovery together.",
            "s",
            _quantiles("kubia_pet_discovery_seconds", EACH_POD, POD),
        ),
        Panel(
            "Age of the list",
            "Since the last good DNS answer. It grows while nobody asks a pod for its peers.",
            "s",
            (_value("kubia_pet_discovery_age_seconds"),),
        ),
    ),
}
