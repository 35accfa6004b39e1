"""The command line teaches: what it shows works, words are completed, and and every end has its status."""

import os
import pty
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from kubia_pet.cli import main
from tests.support.pod import Pod

HELP = CliRunner().invoke(main, ["--help"], terminal_width=80).output
PROGRAM = Path(sys.executable).with_name("kubia-pet")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}  # this tree's program
EXAMPLES = [shlex.split(line)[1:] for line in re.findall(r"^ +(kubia-pet \w.*)$", HELP, re.MULTILINE)]


def test_each_command_is_shown_with_one_whole_sentence() -> None:
    lines = dict(re.findall(r"^  (\w+) {2,}(\S.*)$", HELP.partition("Commands:")[2], re.MULTILINE))
    assert lines.keys() == {name for name, each in main.commands.items() if not each.hidden}
    for sentence in lines.values():
        assert sentence.endswith("."), sentence
        assert "..." not in sentence


@pytest.mark.parametrize("words", EXAMPLES, ids=" ".join)
def test_each_example_of_the_help_is_a_right_use(words: list[str]) -> None:
    with main.make_context("kubia-pet", list(words), resilient_parsing=False) as context:
        name, command, rest = main.resolve_command(context, words)
        assert name
        assert command
        with command.make_context(name, rest, parent=context):  # raises UsageError for what is not known
            pass


def test_the_help_has_examples_of_all_that_a_newcomer_runs() -> None:
    assert {words[0] for words in EXAMPLES} == {"local", "check", "probe", "serve"}


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("se", {"serve"}),
        ("serve --data", {"--data-dir"}),
        ("serve --log-format j", {"json"}),
        ("check --disrupt move,de", {"move,delete"}),
    ],
)
def test_words_are_completed_as_the_help_says(typed: str, completed: set[str]) -> None:
    words = ["kubia-pet", *typed.split()]
    asked = {
        "_KUBIA_PET_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [PROGRAM], env=ENVIRONMENT | asked, capture_output=True, text=True, timeout=30, check=False
    )
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == completed


def test_the_line_that_turns_completion_on_is_one_that_bash_takes() -> None:
    (line,) = re.findall(r"^ +(eval .*)$", HELP, re.MULTILINE)
    path = f"{PROGRAM.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", f"{line}; complete -p kubia-pet"],
        env=ENVIRONMENT | {"PATH": path}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert "kubia-pet" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--version"], 0),
        (["health", "--host=127.0.0.1", "--port=1"], 1),
        (["serve", "--port=many"], 2),
        (["serve", "--data-dir=/dev/null/nowhere", "--port=0", "--host=127.0.0.1"], 1),
        (["check", "http://127.0.0.1:1"], 3),
    ],
    ids=["done", "failed", "wrong use", "cannot start", "cannot tell"],
)
def test_the_exit_status_says_how_it_ended_in_a_sentence_without_colours(
    words: list[str], status: int
) -> None:
    done = subprocess.run(
        [PROGRAM, *words], env=ENVIRONMENT, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == status, done.stderr
    said = done.stdout + done.stderr
    assert said.strip()
    assert "\x1b" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=" ".join)
def test_nobody_gets_colours_who_does_not_want_them(pod: Pod, environment: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    shown = ENVIRONMENT | {"TERM": "xterm-256color"} | environment
    with subprocess.Popen([PROGRAM, "check", pod.url], env=shown, stdout=theirs, stderr=theirs, stdin=theirs):
        os.close(theirs)
        printed = b""
        with suppress(OSError):  # the end of a terminal that nobody writes to any more
            while piece := os.read(ours, 65536):
                printed += piece
    os.close(ours)
    assert b"volume" in printed
    assert not re.search(rb"\x1b\[(?:\d+;)*(?:3|4|9|10)\d", printed)


def test_no_command_takes_an_option_that_it_does_not_explain() -> None:
    for command in main.commands.values():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, (command.name, parameter.name)


@pytest.mark.parametrize(("command", "status"), [("check", 143), ("probe", 143), ("serve", 0)])
def test_a_command_that_is_told_to_end_before_it_began_has_no_verdict(command: str, status: int) -> None:
    """Its imports take a moment: here they send the signal."""
    code = (
        "import os, signal, sys, types; import kubia_pet.__main__ as program;"
        "kill = lambda: os.kill(os.getpid(), signal.SIGTERM);"
        "sys.modules['kubia_pet.cli'] = types.SimpleNamespace(main=kill);"
        f"sys.argv = ['kubia-pet', {command!r}]; program.main()"
    )
    assert subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, check=False).returncode == status


@pytest.mark.parametrize("command", ["check", "probe"])
def test_an_error_that_nobody_foresaw_is_no_verdict(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(f"kubia_pet.{command}.run.reach", fails)
    assert CliRunner().invoke(main, [command, "http://localhost:1"]).exit_code == 3


@pytest.mark.parametrize("command", ["check", "probe"])
@pytest.mark.parametrize(
    "url",
    [
        *("ftp://x", "http://", "http://localhost:99999", "http://localhost:0", "http://localhost:port"),
        *("http:/x", "http://[::1", "http://a b", "localhost:99999", "", "http://localhost?x", "::1"),
    ],
)
def test_what_is_no_url_of_a_set_is_a_wrong_use(command: str, url: str) -> None:
    done = CliRunner().invoke(main, [command, url])
    assert done.exit_code == 2, done.output
    assert "give http(s)://HOST[:PORT], as in http://localhost:8080" in " ".join(done.output.split())


@pytest.mark.parametrize("answered", ["", "n\n"], ids=["Ctrl-D", "no"])
def test_whoever_does_not_say_yes_has_nothing_disrupted(
    answered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubia_pet.check.command.sys.stdin.isatty", lambda: True, raising=False)
    result = CliRunner().invoke(main, ["check", "--namespace=zoo", "--disrupt=delete"], input=answered)
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["check", "http://127.0.0.1:1"], 2),
        (["probe", "http://127.0.0.1:1"], 2),
        (["adopt"], 1),
        (["serve", "--port=0"], 1),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
@pytest.mark.parametrize(
    ("content", "why"),
    [(b"\xff\xfe", "is not UTF-8 text."), (b"two\nlines\n", "holds more than one word"), (b"", "is empty.")],
    ids=["binary", "lines", "empty"],
)
def test_a_token_file_is_read_alike_by_all_commands(
    words: list[str], status: int, content: bytes, why: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    own = [f"--data-dir={tmp_path}", "--service="] if words[0] == "serve" else []
    done = subprocess.run(
        [PROGRAM, *words, f"--token-file={file}", *own],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, f"The token file {file} {why}" in done.stderr) == (status, True), done.stderr
