"""The workflows: what they call is here, what they use is pinned, and none has more rights than it needs."""

import re
from typing import Any

import pytest
import yaml

from release import ROOT

DIRECTORY = ROOT / ".github" / "workflows"
TEXTS = {path.stem: path.read_text() for path in DIRECTORY.glob("*.yml")}
# YAML 1.1 reads the key `on` as true.
WORKFLOWS: dict[str, dict[Any, Any]] = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
JOBS = {(name, job): body for name, each in WORKFLOWS.items() for job, body in each["jobs"].items()}
# What each job of a release may do beyond reading this repository.
WRITES = {
    "image": {"packages", "id-token"},
    "deployment": {"packages", "id-token"},
    "pypi": {"id-token"},
    "github": {"contents"},
}
# What no workflow runs: it measures, takes long, or is for people.
BY_HAND = {"help", "run", "coverage", "torture", "labs", "bench", "clean"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_by_its_commit_and_says_its_version(name: str) -> None:
    for line in re.findall(r"uses: (.*)", TEXTS[name]):
        assert re.match(r"[\w./-]+@[0-9a-f]{40} # v\d", line) or line.startswith("./.github/workflows/"), line


def test_one_action_has_one_version_in_all_workflows() -> None:
    used = set(re.findall(r"uses: ([\w./-]+)@(\S+)", "".join(TEXTS.values())))
    assert len({action for action, _ in used}) == len(used)


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_rights_are_none_unless_a_job_says_so(workflow: str) -> None:
    assert WORKFLOWS[workflow]["permissions"] == {}


@pytest.mark.parametrize(("workflow", "job"), JOBS)
def test_a_job_may_read_the_repository_and_writes_only_what_it_publishes(workflow: str, job: str) -> None:
    permissions = JOBS[workflow, job]["permissions"]
    writes = {what for what, right in permissions.items() if right == "write"}
    assert writes == (WRITES.get(job, set()) if workflow == "release" else set())
    assert {right for what, right in permissions.items() if what not in writes} <= {"read"}


@pytest.mark.parametrize("job", WRITES)
def test_who_may_publish_or_sign_runs_nobody_elses_packages(job: str) -> None:
    for step in JOBS["release", job]["steps"]:
        assert not re.search(r"\b(pipx?|uvx?)\b", step.get("run", "")), step


@pytest.mark.parametrize("command", re.findall(r"pip install.*", TEXTS["release"]))
def test_what_a_release_installs_is_locked_by_hash(command: str) -> None:
    assert command == "pip install --require-hashes -r requirements-release.lock"


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_a_step_fails_where_a_part_of_a_pipe_does(workflow: str) -> None:
    assert WORKFLOWS[workflow]["defaults"] == {"run": {"shell": "bash"}}


def test_a_release_runs_for_tags_of_this_repository_only() -> None:
    assert WORKFLOWS["release"][True] == {"push": {"tags": ["v*"]}}
    assert not re.search(r"pull_request_target|workflow_run", "".join(TEXTS.values()))


def test_nothing_is_published_before_the_tests_have_passed() -> None:
    def before(job: str) -> set[str]:
        needs = WORKFLOWS["release"]["jobs"][job].get("needs", [])
        direct = {needs} if isinstance(needs, str) else set(needs)
        return direct.union(*map(before, direct))

    for job in WRITES:
        assert {"ready", "tests"} <= before(job), job
    assert "pypi" in before("github"), "the release's page comes last"


def test_every_command_of_ours_that_a_workflow_runs_exists() -> None:
    text = "".join(TEXTS.values())
    modules = set(re.findall(r"python -m (release\.\w+)", text))
    assert modules == {f"release.{name}" for name in ("version", "changelog", "manifests", "chart")}
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9]+):.*##", makefile, re.MULTILINE))
    assert set(re.findall(r"\brun: .*?\bmake ([a-z0-9]+)", text)) == targets - BY_HAND


def test_no_text_of_others_gets_into_a_shell() -> None:
    """An expression in a script is pasted before the shell reads it: it has to come by a variable."""
    for (workflow, job), body in JOBS.items():
        for step in body.get("steps", ()):
            assert "${{" not in step.get("run", ""), (workflow, job, step)


def test_no_registry_is_named_but_by_a_variable_of_the_repository() -> None:
    assert re.findall(r"[\w-]+\.(?:io|com|dev|org)/(?!rhysd)", "".join(TEXTS.values())) == []
    assert "REGISTRY: ${{ vars.REGISTRY }}" in TEXTS["release"]
