"""Programs that tests run and that are no Python packages."""

import os
import shutil

import pytest


def tool(name: str) -> str:
    """The program that the variable of its name says (HELM), or that is on the PATH.

    Where there is none the test is skipped, or fails where nothing may be missing (CI).
    """
    found = os.environ.get(name.upper()) or shutil.which(name)
    if found is None:
        sentence = f"{name} is not installed"
        if os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found
