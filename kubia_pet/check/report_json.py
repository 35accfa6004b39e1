"""The report as JSON: a versioned object, documented in docs/check.md."""

import json

from kubia_pet import __version__
from kubia_pet.check.result import CheckResult, Report

VERSION = 1


def as_json(report: Report) -> str:
    """One object, indented, with a final line break."""
    return json.dumps(members(report), indent=2) + "\n"


def members(report: Report) -> dict[str, object]:
    """The object's members."""
    return {
        "version": VERSION,
        "program": f"kubia-pet {__version__}",
        "target": report.where,
        "began": report.began,
        "seconds": round(report.seconds, 3),
        "verdict": report.exit.name.lower(),
        "cause": report.first.finding.cause if report.first else None,
        "notes": list(report.notes),
        "checks": [_check(result) for result in report.results],
    }


def _check(result: CheckResult) -> dict[str, object]:
    finding = result.finding
    return {
        "id": result.id,
        "status": finding.status,
        "cause": finding.cause,
        "message": finding.message,
        "remedy": finding.remedy,
        "evidence": list(finding.evidence),
        "seconds": round(result.seconds, 3),
    }
