"""The page's words: each is said, and each that is said has its Chinese."""

import re
from pathlib import Path

from kubia_pet.model.diagnostic import PEER_ERRORS, ErrorCode
from kubia_pet.model.ledger import Kind

PAGE = Path("kubia_pet/web/page/page.html").read_text("utf-8")
CHINESE = PAGE.partition("const ZH = {")[2].partition("\n};")[0]
KEYS = re.findall(r'"([^"]*)": "[^"]*"', CHINESE) + re.findall(r' (\w+): "', CHINESE)
ELSEWHERE = PAGE.replace(CHINESE, "")
SAME_IN_CHINESE = {"Pod", "Service"}


def test_each_word_that_has_its_chinese_is_said() -> None:
    unsaid = {each for each in KEYS if f'"{each}"' not in ELSEWHERE and f">{each}<" not in ELSEWHERE}
    assert unsaid <= set(Kind), "a ledger says those"


def test_each_word_that_is_said_has_its_chinese() -> None:
    said = re.findall(r"data-t>([^<]+)<", ELSEWHERE)
    said += re.findall(r'\bt\("([^"]+)"', ELSEWHERE)
    said += re.findall(r'\bsay\("."[^;]*? "([^"]{3,})"', ELSEWHERE)
    assert len(said) > 40
    assert set(said) - set(KEYS) == SAME_IN_CHINESE


def test_each_reason_for_which_a_peer_gives_no_answer_has_its_chinese() -> None:
    errors = PAGE.partition("const ERRORS = {")[2].partition("};")[0]
    codes = set(re.findall(r'"?([a-z-]+)"?: "', errors))
    assert codes == set(PEER_ERRORS) - {ErrorCode.FAILED}, (
        "those of this pod and of the discovery have a sentence alone"
    )
