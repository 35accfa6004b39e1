"""The report as JUnit's XML, in the form that Sonobuoy and Kubernetes' own tools read.

testsuites > testsuite[name, tests, failures, errors, skipped, time] > testcase[classname, name, time], and in
a case at most one of failure, error (it could not be told) and skipped. Notes are in the suite's system-out.
"""

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from kubia_pet.check.result import CheckResult, Finding, Report, Status

_KINDS = {Status.FAILED: "failure", Status.UNKNOWN: "error", Status.SKIPPED: "skipped"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


def as_junit(report: Report) -> str:
    """One document."""
    root = Element("testsuites")
    suite = SubElement(root, "testsuite", name="kubia-pet check", timestamp=report.began)
    suite.set("tests", str(len(report.results)))
    for status, attribute in (
        (Status.FAILED, "failures"),
        (Status.UNKNOWN, "errors"),
        (Status.SKIPPED, "skipped"),
    ):
        suite.set(attribute, str(sum(each.finding.status is status for each in report.results)))
    suite.set("time", f"{report.seconds:.3f}")
    for result in report.results:
        _case(suite, result)
    if report.notes:
        SubElement(suite, "system-out").text = _plain("\n".join(report.notes))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _case(suite: Element, result: CheckResult) -> None:
    finding = result.finding
    case = SubElement(suite, "testcase", classname="kubia-pet", name=result.id, time=f"{result.seconds:.3f}")
    if kind := _KINDS.get(finding.status):
        outcome = SubElement(case, kind, message=_plain(finding.message))
        if finding.cause:
            outcome.set("type", finding.cause)
        if finding.status is not Status.SKIPPED:
            outcome.text = _plain(_details(finding))
    else:
        SubElement(case, "system-out").text = _plain(_details(finding))


def _details(finding: Finding) -> str:
    first = f"{finding.status}: {finding.message}"
    remedy = [f"remedy: {finding.remedy}"] if finding.remedy else []
    return "\n".join([first, *finding.evidence, *remedy])


def _plain(text: str) -> str:
    """Without what no XML document may hold, escaped or not."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
