"""What a stranger may say in the place of a ledger."""

import json

import pytest

from kubia_pet.model.ledger_summary import LedgerSummary, summary_from_json

WHOLE = {
    "volume": {"id": "ab", "created": "2026-11-30T17:00:00.000Z", "mount": {"kind": "volume"}},
    "start": {"id": "cd", "number": 3, "node": "node-1"},
    "verdict": {"verdict": "good", "message": "Its starts have no gap."},
}


def test_a_ledger_is_summed_up() -> None:
    assert summary_from_json(json.dumps(WHOLE).encode()) == LedgerSummary(
        "ab", "2026-11-30T17:00:00.000Z", "volume", "cd", 3, "node-1", "good", "Its starts have no gap."
    )


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b"{}", b"null", b"[" * 100_000, b'{"volume": 1, "start": 2, "verdict": 3}']
)
def test_what_is_no_ledger_is_none(body: bytes) -> None:
    assert summary_from_json(body) is None


def test_each_member_that_is_not_what_it_should_be_is_not_known() -> None:
    odd = {
        "volume": {"id": 7, "created": "<b>yesterday</b>", "mount": "volume"},
        "start": {"id": ["cd"], "number": -1, "node": {}},
        "verdict": {"verdict": "constructor", "message": "m" * 10_000},
    }
    summary = summary_from_json(json.dumps(odd).encode())
    assert summary == LedgerSummary(None, None, None, None, None, None, None, "m" * 80)


@pytest.mark.parametrize("odd", ["\ud800", "a\u202eb", "a\nb", "a\u2028b", "a\x1bb", "a\u2066b"])
def test_text_that_could_not_be_sent_or_would_turn_what_stands_beside_it_is_not_known(odd: str) -> None:
    texts = {"start": {"id": odd, "node": odd}, "verdict": {"verdict": odd, "message": odd}}
    summary = summary_from_json(json.dumps(WHOLE | texts).encode())
    assert summary == LedgerSummary("ab", "2026-11-30T17:00:00.000Z", "volume", None, None, None, None, None)


def test_a_ledger_that_could_not_be_read_has_a_verdict_all_the_same() -> None:
    summary = summary_from_json(json.dumps(WHOLE | {"start": None}).encode())
    assert summary is not None
    assert (summary.start, summary.starts, summary.verdict) == (None, None, "good")
