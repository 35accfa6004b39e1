"""Documents whose console blocks are run: their form, and the comparison of what is printed.

A block is fenced as `console`. In it a line that begins with "$ " is a command, one that begins with "> "
continues it, and what follows is what it prints. Words after `console` say how to take the block:

    again    its commands are run again until they print this, for what a cluster does in its own time
    fails    its commands end with an error

What cannot be the same twice is not compared: ages, addresses, times, generated names and the width of
columns. `<any …>` stands for whatever one line has in its place, a line `...` for any number of lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SAME = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"\b(\d{1,3}\.){3}\d{1,3}\b"), "ADDRESS"),
    (re.compile(r"\b(\d+[dhms])+\b"), "AGE"),
    (re.compile(r"(?<=-)(?=[a-z]*\d)[0-9a-z]{8,10}\b"), "HASH"),
    (re.compile(r"[ \t\r]+"), " "),
    (re.compile(r" $", re.MULTILINE), ""),
)
_ANY = re.compile(r"<any [^<>]+>")


@dataclass(frozen=True)
class Step:
    """One command, and what it prints."""

    line: int
    command: str
    output: str
    again: bool
    fails: bool

    @property
    def in_background(self) -> bool:
        """Whether the shell goes on while it runs: what it prints can come later."""
        return self.command.endswith("&")

    def printed_by(self, output: str) -> bool:
        """Whether this is the output, but for what is never the same twice."""
        return re.fullmatch(_pattern(self.output), f"{_normalised(output)}\n") is not None


@dataclass(frozen=True)
class Section:
    """A heading and the steps up to the next one."""

    heading: str
    steps: tuple[Step, ...]


def sections(document: str) -> list[Section]:
    """The sections of a Markdown document that have something to run, in their order."""
    found: list[tuple[str, list[Step]]] = [("", [])]
    fence: list[str] | None = None
    block: list[tuple[int, str]] = []
    for number, line in enumerate(document.splitlines(), start=1):
        if line.startswith("```"):
            if fence is not None:
                found[-1][1].extend(_steps(block, *fence))
                fence = None
            else:
                fence, block = line.removeprefix("```").split(), []
        elif fence is not None:
            block.append((number, line))
        elif line.startswith("#"):
            found.append((line.lstrip("# "), []))
    return [Section(heading, tuple(steps)) for heading, steps in found if steps]


def _steps(lines: list[tuple[int, str]], kind: str = "", *words: str) -> Iterator[Step]:
    if kind != "console" or not {"again", "fails"}.issuperset(words):
        raise ValueError(f"line {lines[0][0] - 1}: every block is `console`, then `again` or `fails`")
    commands: list[tuple[int, list[str], list[str]]] = []
    for number, line in lines:
        if line.startswith("$ "):
            commands.append((number, [line[2:]], []))
        elif line.startswith("> ") and commands and not commands[-1][2]:
            commands[-1][1].append(line[2:])
        elif commands:
            commands[-1][2].append(line)
        else:
            raise ValueError(f"line {number}: output without a command")
    for number, command, output in commands:
        yield Step(number, "\n".join(command), "\n".join(output), "again" in words, "fails" in words)


def _normalised(output: str) -> str:
    for pattern, name in _SAME:
        output = pattern.sub(name, output)
    return output.rstrip("\n")


def _pattern(expected: str) -> str:
    lines = _normalised(expected).split("\n")
    return "".join(
        "(?:.*\n)*" if line == "..." else ".+".join(map(re.escape, _ANY.split(line))) + "\n" for line in lines
    )
