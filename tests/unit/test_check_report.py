"""The three forms of a report, and its exit status."""

import io
import json
from xml.etree.ElementTree import fromstring

import pytest
from rich.console import Console

from kubia_pet.check.causes import REMEDIES
from kubia_pet.check.report_json import as_json
from kubia_pet.check.report_junit import as_junit
from kubia_pet.check.report_table import write
from kubia_pet.check.result import (
    CheckResult,
    Finding,
    Report,
    Status,
    failed,
    passed,
    skipped,
    unknown,
    warning,
)

HEADLESS = failed("not-headless", "kubia has an address of its own.", "kubia is 10.0.0.7")


def report(**findings: Finding) -> Report:
    results = tuple(CheckResult(id_.replace("_", "."), each, 0.25) for id_, each in findings.items())
    return Report("http://localhost:8080/", "2026-01-01T00:00:00+00:00", 1.5, results, ("a note",))


MIXED = report(
    identity=passed("All is well."),
    dns_headless=HEADLESS,
    dns_srv=skipped("follows from dns.headless"),
    volume_fsync=warning("fsync-too-cheap", "An fsync takes 1 µs."),
    cluster_view=unknown("No pod gives a list."),
)


ODD = failed("not-a-pet", "It says \x00\x1b[31m<b>&\ud800.", "]]> \x0b")


# Exit status


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([passed("yes")], 0),
        ([passed("yes"), skipped("no"), warning("gap", "odd")], 0),
        ([passed("yes"), unknown("who knows"), HEADLESS], 1),
        ([passed("yes"), unknown("who knows")], 3),
        ([skipped("no"), skipped("no")], 3),
        ([], 3),
    ],
)
def test_the_exit_status_is_that_of_the_worst(findings: list[Finding], status: int) -> None:
    assert report(**{f"check{number}": each for number, each in enumerate(findings)}).exit == status


# JSON


def test_the_json_has_each_check_with_all_members() -> None:
    members = json.loads(as_json(MIXED))
    assert (members["version"], members["verdict"], members["cause"]) == (1, "failed", "not-headless")
    assert members["notes"] == ["a note"]
    assert [(each["id"], each["status"]) for each in members["checks"]] == [
        ("identity", "passed"),
        ("dns.headless", "failed"),
        ("dns.srv", "skipped"),
        ("volume.fsync", "warning"),
        ("cluster.view", "unknown"),
    ]
    assert members["checks"][1] == {
        "id": "dns.headless",
        "status": "failed",
        "cause": "not-headless",
        "message": "kubia has an address of its own.",
        "remedy": REMEDIES["not-headless"],
        "evidence": ["kubia is 10.0.0.7"],
        "seconds": 0.25,
    }


# JUnit, read as Sonobuoy and Kubernetes do


def test_the_junit_document_counts_its_cases_and_gives_each_one_outcome_at_most() -> None:
    (suite,) = fromstring(as_junit(MIXED))  # noqa: S314 - our own
    assert suite.tag == "testsuite"
    counted = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
    assert counted == {"tests": "5", "failures": "1", "errors": "1", "skipped": "1", "time": "1.500"}
    outcomes = {
        case.get("name"): [each.tag for each in case if each.tag != "system-out"]
        for case in suite.iter("testcase")
    }
    assert outcomes == {
        "identity": [],
        "dns.headless": ["failure"],
        "dns.srv": ["skipped"],
        "volume.fsync": [],
        "cluster.view": ["error"],
    }
    assert all(case.get("classname") and case.get("time") for case in suite.iter("testcase"))
    failure = next(suite.iter("failure"))
    assert failure.get("type") == "not-headless"
    assert "kubia is 10.0.0.7" in (failure.text or "")


def test_notes_are_the_suites_own() -> None:
    (suite,) = fromstring(as_junit(MIXED))  # noqa: S314 - our own
    assert suite.findtext("system-out") == "a note"


def test_what_a_stranger_sends_cannot_break_the_xml() -> None:
    (suite,) = fromstring(as_junit(report(dns_roundtrip=ODD)))  # noqa: S314 - our own
    assert "<b>&" in (next(suite.iter("failure")).get("message") or "")


# The table


def printed(shown: Report, *, terminal: bool, no_color: bool = False) -> str:
    output = io.StringIO()
    write(Console(file=output, force_terminal=terminal, width=80, no_color=no_color, highlight=False), shown)
    return output.getvalue()


def test_without_a_terminal_each_check_is_one_plain_line() -> None:
    text = printed(MIXED, terminal=False)
    assert "\x1b" not in text
    assert "dns.headless     failed   not-headless: kubia has an address of its own.\n" in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_what_is_wrong_comes_with_its_evidence_and_the_way_out_and_the_first_is_named() -> None:
    text = printed(MIXED, terminal=False)
    assert f"  kubia is 10.0.0.7\n  What to do: {REMEDIES['not-headless']}\n" in text
    assert text.endswith(
        "Note: a note\n\n"
        "http://localhost:8080/: 1 passed, 1 failed, 1 warning, 1 skipped, 1 unknown, in 1.5 s. "
        "Begin with dns.headless: the others may follow from it.\n"
    )


def test_a_terminal_has_colours_unless_it_is_told_not_to() -> None:
    assert "\x1b[1;31mfailed" in printed(MIXED, terminal=True)
    assert "\x1b[31m" not in printed(MIXED, terminal=True, no_color=True)


def test_words_of_a_stranger_are_no_markup() -> None:
    assert "[red]x[/red]" in printed(report(a=failed("gap", "[red]x[/red]")), terminal=True)


@pytest.mark.parametrize("terminal", [True, False])
def test_what_a_stranger_sends_can_be_encoded_and_tells_no_terminal_anything(*, terminal: bool) -> None:
    assert as_json(report(dns_roundtrip=ODD)).encode()
    text = printed(report(dns_roundtrip=ODD), terminal=terminal)
    assert text.encode()
    assert "\x1b[31m<b>" not in text
    assert "It says \ufffd\ufffd[31m<b>&\ufffd." in text


def test_every_status_is_told() -> None:
    assert {each.finding.status for each in MIXED.results} == set(Status)
