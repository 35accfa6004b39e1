"""docs/architecture.md, held against the code: every module has its room, and every name there exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "kubia_pet"
DOCUMENT = (ROOT / "docs" / "architecture.md").read_text()
ROOMS = DOCUMENT.partition("<!-- rooms -->")[2].partition("<!-- end of rooms -->")[0]


def rooms() -> dict[str, set[str]]:
    """The modules that the document names, by their directory."""
    found = {}
    for paragraph in re.split(r"\n(?=- )", ROOMS.strip()):
        directory, *names = re.findall(r"`([\w/]+)`", paragraph)
        where = PACKAGE if directory == "kubia_pet/" else PACKAGE / directory
        found[str(where.relative_to(ROOT))] = {name for name in names if (where / f"{name}.py").exists()}
        assert {name for name in names if name.islower()} - found[str(where.relative_to(ROOT))] <= COMMANDS
    return found


def arrows() -> dict[str, set[str]]:
    """What the picture draws: of each package or module of the top those to which its arrows lead."""
    picture = DOCUMENT.partition("```mermaid")[2].partition("```")[0]
    found: dict[str, set[str]] = {}
    for line in picture.splitlines():
        begins, arrow, ends = re.sub(r"\[.*?\]", "", line).partition(" --> ")
        for begin in begins.split("&") if arrow else ():
            found.setdefault(begin.strip(), set()).update(end.strip() for end in ends.split("&"))
    return found


def imports() -> dict[str, set[str]]:
    """The same of the code."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        begin = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        names = re.findall(
            r"^\s*(?:from|import) kubia_pet(?:\.| import )(\w+)", path.read_text(), re.MULTILINE
        )
        found.setdefault(begin, set()).update({*names} - {begin, "__version__"})
    return found


def reachable(begin: str, drawn: dict[str, set[str]]) -> set[str]:
    """All to which arrows lead from here, one after the other."""
    seen: set[str] = set()
    following = [begin]
    while following:
        ends = drawn.get(following.pop(), set()) - seen
        seen |= ends
        following += ends
    return seen


FOR_ALL = {"aio", "limits", "model"}
COMMANDS = {"check", "probe", "kubia-pet"}  # that a description names, too


def test_every_module_is_in_its_room_and_no_other_is() -> None:
    there: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        if path.name != "__init__.py":
            there.setdefault(str(path.parent.relative_to(ROOT)), set()).add(path.stem)
    assert rooms() == there


def test_every_module_that_is_named_elsewhere_exists() -> None:
    named = set(re.findall(r"`((?:[\w]+/)*\w+\.py)`", DOCUMENT.replace(ROOMS, "")))
    assert len(named) > 30
    assert [path for path in sorted(named) if not (PACKAGE / path).exists()] == []


def test_every_function_that_is_named_after_a_module_is_in_it() -> None:
    steps = re.findall(r"`([\w/]+\.py)` `(\w+)`", " ".join(DOCUMENT.replace(ROOMS, "").split()))
    assert len(steps) > 10
    for path, name in steps:
        source = (PACKAGE / path).read_text()
        assert re.search(rf"^(?: *(?:async )?def|class) {name}\b", source, re.MULTILINE), f"{path}: {name}"


def test_every_arrow_of_the_picture_is_an_import() -> None:
    drawn, there = arrows(), imports()
    assert len(drawn) > 10
    for begin, ends in drawn.items():
        assert ends <= there[begin] or (ends == {"all"} and there[begin] <= FOR_ALL), begin


def test_every_import_between_packages_follows_arrows_of_the_picture() -> None:
    drawn = arrows()
    for begin, ends in imports().items():
        if begin not in {"__main__", *FOR_ALL}:
            assert ends - FOR_ALL <= reachable(begin, drawn), begin
