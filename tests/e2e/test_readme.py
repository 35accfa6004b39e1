"""The README's Deploy lines, word for word, pasted as one piece by one who is logged in to a namespace."""

import json
import re
import shutil
import socket
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, image_under_test, set_image
from tests.e2e.kubectl import Namespace, kubectl
from tests.support.paste import paste, shell_blocks

pytestmark = pytest.mark.timeout(400)
GREETING = "Hey there! This greeting was submitted to kubia-0."


def test_the_lines_work_in_the_current_namespace_when_pasted_as_one_piece(
    namespace: Namespace, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    set_image(tmp_path / "k8s" / "kustomization.yaml", image_under_test())
    config = json.loads(kubectl("config", "view", "--raw", "--flatten", "--minify", "--output", "json"))
    config["contexts"][0]["context"]["namespace"] = namespace.name
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    (tmp_path / ".curlrc").write_text("silent\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (lines,) = [block for block in shell_blocks() if block.startswith("kubectl apply")]
    assert "default" not in lines.replace("${namespace:-default}", "")
    env = {"KUBECONFIG": str(tmp_path / "kubeconfig"), "CURL_HOME": str(tmp_path)}
    shown = paste(lines.replace("8001", str(port)), tmp_path, env=env, timeout=380)
    first, _, rest = shown[shown.index("You've hit kubia-0") :].partition("Data stored on pod kubia-0\n")
    assert first.startswith("You've hit kubia-0\nData stored on this pod: No data posted yet\n")
    names = rf"kubia\.{re.escape(namespace.name)}\.svc\.[a-z.]+"
    assert re.search(r"^You've hit kubia-\d$", rest, re.MULTILINE)
    assert re.search(rf"^- kubia-0\.{names}: {re.escape(GREETING)}$", rest, re.MULTILINE)
