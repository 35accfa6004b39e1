"""What is said of an answer that is an error."""

import json

import pytest

from kubia_pet.client.answer import Answer, require_ok
from kubia_pet.client.errors import NotReachedError, RefusedError


@pytest.mark.parametrize("indent", [None, 2])
def test_the_api_servers_own_error_is_told_by_its_message(indent: int | None) -> None:
    def status(message: str) -> Answer:
        members = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message}
        return Answer(503, {"Content-Type": "application/json"}, json.dumps(members, indent=indent).encode())

    with pytest.raises(RefusedError, match=r"^answered 503: no endpoints available$"):
        require_ok(status("no endpoints available"))
    with pytest.raises(RefusedError, match="EOF"):
        require_ok(status("error trying to reach service: EOF"))
    with pytest.raises(NotReachedError):
        require_ok(status("error trying to reach service: dial tcp 10.42.1.7:8080: i/o timeout"))


@pytest.mark.parametrize("body", [b'{"kind": "Status"', b'["Status"]', b"Status"])
def test_what_is_no_status_is_told_by_its_first_line(body: bytes) -> None:
    with pytest.raises(RefusedError, match=r"^answered 503: "):
        require_ok(Answer(503, {}, body))
