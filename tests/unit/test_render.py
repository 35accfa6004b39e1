"""The answer to `GET /`, word for word, and what no value can do to it."""

import base64
import json
import re
import time
import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kubia_pet.discovery import Discovered
from kubia_pet.model.diagnostic import Diagnostic, ErrorCode
from kubia_pet.model.peer import Peer
from kubia_pet.model.value import Value
from kubia_pet.peers.gather import Gathered
from kubia_pet.peers.result import PeerResult
from kubia_pet.web.escaping import in_one_line, preview
from kubia_pet.web.handlers.page import Page
from kubia_pet.web.render import Overview
from tests.support.dns_server import NAME

REFUSED = Diagnostic(ErrorCode.REFUSED, "10.0.0.1 port 8080 refuses connections")
FAILED = Diagnostic(ErrorCode.DNS_FAILED, "DNS failed: SERVFAIL.")
NOT_HEADLESS = Diagnostic(ErrorCode.NOT_HEADLESS, "It has a cluster IP.")


def pod(ordinal: int) -> Peer:
    return Peer(f"kubia-{ordinal}.{NAME}", is_self=ordinal == 0, endpoints=())


def overview(
    *answers: PeerResult,
    failure: Diagnostic | None = None,
    diagnostics: tuple[Diagnostic, ...] = (),
    age: float = 0,
) -> Overview:
    """Of kubia-0, with kubia-0's own answer first."""
    peers = tuple(answer.peer for answer in answers)
    found = Discovered(NAME, peers, diagnostics, time.monotonic() - age, failure=failure)
    return Overview("kubia-0", answers[0].value, Gathered(found, answers))


def of_values(*values: bytes | None) -> Overview:
    return overview(
        *(
            PeerResult(pod(ordinal), None if value is None else Value(value))
            for ordinal, value in enumerate(values)
        )
    )


def test_a_pod_without_peers_says_two_lines() -> None:
    assert Overview("kubia-0", None, None).as_text() == (
        b"You've hit kubia-0\nData stored on this pod: No data posted yet\n"
    )


def test_the_cluster_is_shown_word_for_word_as_in_the_book() -> None:
    assert of_values(None, b"Hey there!").as_text().decode() == (
        "You've hit kubia-0\n"
        "Data stored on this pod: No data posted yet\n"
        "Data stored in the cluster:\n"
        "- kubia-0.kubia.default.svc.cluster.local: No data posted yet\n"
        "- kubia-1.kubia.default.svc.cluster.local: Hey there!\n"
    )


def test_the_pages_table_says_what_is_wrong_as_the_text_does() -> None:
    answers = PeerResult(pod(0)), PeerResult(pod(1), ending=True), PeerResult(pod(2), error=REFUSED)
    shown = overview(*answers, failure=FAILED, diagnostics=(NOT_HEADLESS,), age=12)
    table = Page("kubia-0").render(shown).decode().partition("<tbody")[2].partition("</tbody>")[0]
    cells = [re.findall(r"<t[hd][^>]*>([^<]*)", row) for row in table.splitlines()]
    assert cells[:5] == [
        ["DNS", "DNS failed: SERVFAIL. These are the peers of 12 s ago.", ""],
        ["DNS", "It has a cluster IP.", ""],
        ["kubia-0", "ready", "No data posted yet"],
        ["kubia-1", "ending", "No data posted yet"],
        ["kubia-2", f"no answer: {REFUSED.message}", ""],
    ]


@pytest.mark.parametrize(
    ("value", "cut"),
    [(b"\xff" + "é".encode() * 9, False), (b"\xff" + "é".encode() * 10, True), (b"\xff" * 10, False),
     ("\U0001f436".encode() * 10, False), ("\U0001f436".encode() * 11, True), (b"x" * 10, False)],
)  # fmt: skip
def test_a_preview_is_cut_where_there_are_more_characters(value: bytes, *, cut: bool) -> None:
    assert preview(Value(value), 10).cut == cut


def test_a_peer_that_did_not_answer_has_a_line_that_cannot_be_taken_for_data() -> None:
    shown = overview(PeerResult(pod(0)), PeerResult(pod(1), error=REFUSED)).as_text().decode()
    assert shown.splitlines()[3:] == [
        f"- kubia-0.{NAME}: No data posted yet",
        f"! kubia-1.{NAME}: 10.0.0.1 port 8080 refuses connections",
    ]


def test_a_failed_discovery_and_each_finding_have_such_a_line_too() -> None:
    shown = overview(PeerResult(pod(0)), failure=FAILED, diagnostics=(NOT_HEADLESS,)).as_text().decode()
    assert shown.splitlines()[3:5] == [
        f"! {NAME}: DNS failed: SERVFAIL.",
        f"! {NAME}: It has a cluster IP.",
    ]


def test_peers_of_an_older_answer_are_marked_as_old() -> None:
    shown = overview(PeerResult(pod(0)), PeerResult(pod(1)), failure=FAILED, age=12.1).as_text().decode()
    assert shown.splitlines()[3] == f"! {NAME}: DNS failed: SERVFAIL. These are the peers of 12 s ago."


def test_json_names_pod_value_service_discovery_and_each_peer() -> None:
    shown = json.loads(
        overview(
            PeerResult(pod(0), Value(b"mine")),
            PeerResult(pod(1), Value(b"\xff\x00")),
            PeerResult(pod(2)),
            PeerResult(pod(3), error=REFUSED),
            failure=FAILED,
            diagnostics=(NOT_HEADLESS,),
        ).as_json()
    )
    assert 0 <= shown["discovery"].pop("age") < 10
    assert shown == {
        "pod": "kubia-0",
        "value": "mine",
        "service": NAME,
        "discovery": {"asked": None, "error": vars(FAILED), "findings": [vars(NOT_HEADLESS)]},
        "ledger": None,
        "peers": [
            {"name": f"kubia-0.{NAME}", "ordinal": 0, "self": True, "value": "mine"},
            {
                "name": f"kubia-1.{NAME}",
                "ordinal": 1,
                "self": False,
                "value": "/wA=",
                "encoding": "base64",
            },
            {"name": f"kubia-2.{NAME}", "ordinal": 2, "self": False, "value": None},
            {"name": f"kubia-3.{NAME}", "ordinal": 3, "self": False, "error": vars(REFUSED)},
        ],
    }


def test_json_of_a_pod_without_peers_has_the_same_members() -> None:
    shown = json.loads(Overview("kubia-0", None, None).as_json())
    assert shown == {
        "pod": "kubia-0",
        "value": None,
        "service": None,
        "discovery": None,
        "ledger": None,
        "peers": [],
    }


@given(st.lists(st.none() | st.binary() | st.text().map(str.encode), min_size=1, max_size=4))
def test_json_carries_the_exact_bytes(values: list[bytes | None]) -> None:
    shown = json.loads(of_values(*values).as_json())
    for value, member in zip(values, shown["peers"], strict=True):
        if member.get("encoding") == "base64":
            assert base64.b64decode(member["value"]) == value
        else:
            assert (None if value is None else value.decode()) == member["value"]


FORGERIES = [
    b"x\n- kubia-1.kubia.default.svc.cluster.local: forged",
    b"x\r! kubia-1: forged",
    b"x\r\n\r\nforged",
    b"\x1b[2K\x1b[1Gforged",
    b"\x1b]0;title\x07",
    b"\x08" * 40 + b"forged",
    "x\u2028- forged\u2029- forged\x85- forged\x0b\x0c\x1c\x1d\x1e".encode(),
    "\u202egnorw\u202c \u2066isolated\u2069 \u200fmark".encode(),
    "\ufeff\u200b\u00ad\u2060hidden\U000e0041".encode(),
    b"\xff\xfe\n- forged",
    b"\x9b2Kforged",
]


@pytest.mark.parametrize("value", FORGERIES)
def test_no_value_forges_hides_or_turns_a_line(value: bytes) -> None:
    honest = of_values(value, value, b"last").as_text().decode()
    lines = honest.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "You've hit kubia-0",
        "Data stored on this pod",
        "Data stored in the cluster",
        *(f"- kubia-{ordinal}.{NAME}" for ordinal in range(3)),
    ]
    assert honest.replace("\n", "").isprintable()


@given(
    st.text(st.characters(exclude_categories=["Cs"])) | st.binary().map(lambda data: data.decode("latin-1"))
)
@example("a" * 70000 + "\n- forged")
def test_any_value_is_one_line_that_ends_where_its_line_ends(value: str) -> None:
    lines = of_values(value.encode(), b"last").as_text().decode().splitlines()
    assert len(lines) == 5
    assert lines[4] == f"- kubia-1.{NAME}: last"


# Blank on every screen: Unicode's spaces, the fillers of Hangul, empty Braille, note and hieroglyphs.
BLANKS = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Zs"]
BLANKS += ["\u115f", "\u1160", "\u3164", "\uffa0", "\u2800", "\U0001d159", "\U00013441", "\U00013442"]
# Nothing on most screens: Unicode's Default_Ignorable_Code_Point, and the filler of Khitan.
IGNORABLE = [
    chr(code)
    for first, last in (
        (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
        (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F),
        (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x16FE4, 0x16FE4), (0x1BCA0, 0x1BCA3),
        (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
    )
    for code in range(first, last + 1)
]  # fmt: skip
UNASSIGNED = re.compile("[\u2065\ufff0-\ufff8\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]")  # of these


@pytest.mark.parametrize("filler", [*BLANKS, " \u200d", "\xa0\ufe0f", "\u3000\u200c "])
def test_no_run_of_white_space_fills_a_terminals_row_so_that_the_next_looks_like_another_pods(
    filler: str,
) -> None:
    forgery = f"hi{filler * 76}- kubia-1.{NAME}: forged"
    line = of_values(None, forgery.encode(), b"last").as_text().decode().splitlines()[4]
    value = line.removeprefix(f"- kubia-1.{NAME}: hi")
    assert value.isascii() or value[1:].isascii(), "one blank is left, the others are escapes"
    assert value.endswith(f"- kubia-1.{NAME}: forged")
    assert not re.search(r"\s\s", value)


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
def test_nothing_that_shows_as_nothing_breaks_such_a_run(blank: str) -> None:
    run = re.compile(f"[{''.join(BLANKS)}][{''.join(IGNORABLE)}]*[{''.join(BLANKS)}]")
    for ignorable in IGNORABLE:
        shown = "".join(in_one_line(f"{blank}{ignorable}{blank}{ignorable}{blank}"))
        assert not run.search(shown), ascii(ignorable)


def test_a_run_of_spaces_is_shown_as_escapes_after_the_first() -> None:
    assert "".join(in_one_line("a   b c\xa0 d")) == "a \\x20\\x20b c\xa0\\x20d"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"a\nb", r"a\nb"),
        (rb"a\nb", r"a\\nb"),
        (b"\t\r\x1b", r"\t\r\x1b"),
        ("\x9b\u2028\U000e0041".encode(), r"\u009b\u2028\U000e0041"),
        (b"\x9b\xff", r"\x9b\xff"),
        (rb"\x9b", r"\\x9b"),
        (b"\xff\\n\n", r"\xff\\n\n"),
    ],
)
def test_a_line_break_and_the_two_characters_that_stand_for_it_differ(value: bytes, shown: str) -> None:
    assert of_values(value).as_text().decode().splitlines()[1] == f"Data stored on this pod: {shown}"


TRICKY = (
    st.text(st.sampled_from(" \\nrtxu0289b\n\r\t\x1b\x9b\xa0\u2028\u200d\u3000é")).map(str.encode)
    | st.binary()
)


@given(TRICKY, TRICKY)
@example(b"\xc2\x9b", b"\x9b")
def test_no_two_values_are_shown_alike(one: bytes, other: bytes) -> None:
    def shown(value: bytes) -> str:
        return "".join(in_one_line(value.decode(errors="surrogateescape")))

    assert (shown(one) == shown(other)) == (one == other)
    unquoted = re.sub(
        r"\\(x[89a-f].)|\\(u....|U.{8}|x[0-7].)|\\(.)",
        lambda found: (
            chr(int(found[1][1:], 16) + 0xDC00)
            if found[1]
            else chr(int(found[2][1:], 16))
            if found[2]
            else {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}[found[3]]
        ),
        shown(one),
    )
    assert unquoted.encode(errors="surrogateescape") == one, "it can be undone"


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"], exclude_characters="\\")))
@example("Größe, 漢字, 🐾, नमस्ते, שלום, عربى")
def test_what_is_harmless_is_shown_as_it_is(value: str) -> None:
    assume(not re.search(f"[{''.join(BLANKS)}]{{2}}|[{''.join(BLANKS)}]\\W", value))
    assume(not UNASSIGNED.search(value))
    assert of_values(value.encode()).as_text().decode().splitlines()[1] == (
        f"Data stored on this pod: {value}"
    )


def test_joiners_of_words_and_emoji_are_shown_as_they_are() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u0645\u06cc\u200c\u062e\u0648"
    assert "".join(in_one_line(f"{family}\n")) == f"{family}\\n"


def test_every_control_format_and_separator_character_of_unicode_is_escaped_or_a_visible_mark() -> None:
    shown_marks = ("ARABIC ", "SYRIAC ", "KAITHI ", "EGYPTIAN ", "ZERO WIDTH NON-JOINER", "ZERO WIDTH JOINER")
    for character in map(chr, range(0x110000)):
        if unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"}:
            escaped = "".join(in_one_line(character)).isascii()
            name = unicodedata.name(character, "")
            assert escaped or name.startswith(shown_marks), hex(ord(character))


def test_a_line_of_a_mebibyte_stays_one_line() -> None:
    (line,) = of_values(b"x" * 2**20 + b"\n").as_text().decode().splitlines()[3:]
    assert line.endswith("xxx\\n")
    assert len(line) > 2**20


def test_bytes_that_are_no_text_are_shown_escaped() -> None:
    assert of_values(b"caf\xe9\x00").as_text().decode().splitlines()[1].endswith(r": caf\xe9\x00")
