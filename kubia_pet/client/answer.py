"""What an answer is worth."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from kubia_pet.client.errors import NotReachedError, OtherValueError, RefusedError, UnansweredError


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
    sentence = answer.text.strip()
    with_detail = re.search(r'"detail": ?"([^"]{1,300})"', sentence)
    shown = with_detail[1] if with_detail else sentence.partition("\n")[0][:300]
    if '"kind":"Status"' in sentence and "error trying to reach service" in sentence:
        raise NotReachedError("cannot be reached by the API server: it takes no connection")
    kind = OtherValueError if answer.status == HTTPStatus.PRECONDITION_FAILED else RefusedError
    raise kind(answer.status, shown)


def require_known(answer: Answer) -> None:
    """Raises UnansweredError where an error leaves open whether the old value stands."""
    said_by_pet = answer.headers.get("Content-Type", "").startswith(
        ("text/plain", "application/problem+json")
    )
    open_end = any(words in answer.text for words in ("not known", "may still take effect"))
    if answer.status in (503, 507) and said_by_pet and not open_end:
        return
    if answer.status >= 500:  # noqa: PLR2004 - 5xx
        raise UnansweredError(f"answered {answer.status}, which leaves open what happened")
