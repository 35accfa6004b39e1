"""Content negotiation, fed with whatever a client may write in Accept."""

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import example, given
from hypothesis import strategies as st

from kubia_pet.web.problem import JSON, PROBLEM, TEXT, preferred


def chosen(accept: str, *offered: str) -> str:
    return preferred(make_mocked_request("GET", "/", headers={"Accept": accept}), *offered)


WELL_FORMED = st.lists(
    st.builds(
        "{}/{}{}".format,
        st.sampled_from(["*", "text", "application", "image"]),
        st.sampled_from(["*", "plain", "json", "html", "problem+json"]),
        st.sampled_from(
            ["", ";q=0", ";q=0.5", ";q=1", ";q=1.5", ";q=x", "; charset=utf-8", ";q=0.5;level=1"]
        ),
    ),
    max_size=6,
).map(",".join)


@given(
    st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=200) | WELL_FORMED
)
@example(";q")
@example("/")
@example("*")
@example("application/json;q=")
@example("," * 200)
def test_whatever_accept_says_one_of_the_offered_types_is_chosen(accept: str) -> None:
    assert chosen(accept, TEXT, JSON) in {TEXT, JSON}
    assert chosen(accept, TEXT, JSON, PROBLEM) in {TEXT, JSON, PROBLEM}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", TEXT),
        ("", TEXT),
        ("application/json", JSON),
        ("application/*", JSON),
        ("text/*", TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
        ("text/plain;q=0.5, application/json", JSON),
        ("text/plain, application/json;q=0.9", TEXT),
        ("application/json;q=0.1, text/plain;q=0", JSON),
        ("image/png", TEXT),
        ("garbage", TEXT),
    ],
)
def test_quality_values_decide_and_text_is_the_default(accept: str, kind: str) -> None:
    assert chosen(accept, TEXT, JSON) == kind
