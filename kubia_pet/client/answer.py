"""What an answer is worth."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from kubia_pet.client.errors import NotReachedError, OtherValueError, RefusedError, UnansweredError

PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Answer:
    """A whole answer: HTTP's status, the headers, the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text, whatever it is."""
        return self.body.decode(errors="replace")


def require_ok(answer: Answer) -> None:
    """Raises RefusedError with what the answer says, unless that is a success.

    NotReachedError where the API server, which proxies, could not connect to the pod.
    """
    if answer.status // 100 == 2:  # noqa: PLR2004 - 2xx
        return
    said, api = _problem(answer), _status(answer)
    shown = str(said.get("detail") or api or answer.text.strip().partition("\n")[0])[:300]
    if "error trying to reach service" in api and "dial" in api:  # one that broke may have been sent
        raise NotReachedError("cannot be reached by the API server: it takes no connection")
    kind = OtherValueError if answer.status == HTTPStatus.PRECONDITION_FAILED else RefusedError
    raise kind(answer.status, shown, said.get("code"))


def require_known(answer: Answer) -> None:
    """Raises UnansweredError where an error leaves open whether the old value stands."""
    code = _problem(answer).get("code")
    if answer.status >= 500 and code in {None, "slow", "unconfirmed"}:  # noqa: PLR2004 - 5xx
        raise UnansweredError(f"answered {answer.status}, which leaves open what happened")


def _status(answer: Answer) -> str:
    """The message of the API server's own Status object, which may be over several lines; else empty."""
    if '"Status"' not in answer.text[:1000]:
        return ""
    try:
        members = json.loads(answer.body)
    except ValueError:
        return ""
    is_status = isinstance(members, dict) and members.get("kind") == "Status"
    return str(members.get("message", "")) if is_status else ""


def _problem(answer: Answer) -> Mapping[str, Any]:
    """The members of problem details (RFC 9457); none where the answer is something else."""
    if not answer.headers.get("Content-Type", "").startswith(PROBLEM):
        return {}
    try:
        members = json.loads(answer.body)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}
