"""What the user of `kubia-pet local` sees and may paste."""

from collections.abc import Sequence

from kubia_pet import __version__
from kubia_pet.local.supervisor import LocalPod


def screen(pods: Sequence[LocalPod], port: int, nameserver: tuple[str, int], service: str) -> str:
    """The page's URL, the pods with their URLs, processes and volumes, and some lines to paste.

    `port` reaches any pod, `nameserver` is an (address, port).
    """
    first, last = pods[0], pods[-1]
    rows = "\n".join(_row(pod.name, pod.port, _process(pod), str(pod.data_dir)) for pod in pods)
    return f"""
See it live: http://localhost:{port}

kubia-pet {__version__}: {len(pods)} pods of the StatefulSet kubia. Ctrl-C ends them.

{_row("pod", "url", "process", "volume")}
{rows}
{_row("any", port, "", "")}
  name server {nameserver[0]} port {nameserver[1]}

Lines to paste in another terminal:

  curl localhost:{first.port}
  curl -X POST -d "Hey there! This greeting was submitted to {first.name}." localhost:{first.port}
  curl localhost:{last.port}
  for i in 1 2 3 4; do curl -X POST -d "Value number $i" localhost:{port}; done
  curl localhost:{port}
  dig @{nameserver[0]} -p {nameserver[1]} SRV {service}
  kill -9 {_process(last)}
  curl --retry 30 --retry-delay 1 --retry-all-errors localhost:{last.port}

That kills {last.name}, which comes back under its name, with its value.
"""


def _row(pod: str, port: int | str, process: str, volume: str) -> str:
    url = f"http://localhost:{port}" if isinstance(port, int) else port
    return f"  {pod:<9} {url:<23} {process:<8} {volume}".rstrip()


def _process(pod: LocalPod) -> str:
    return str(pod.process.pid) if pod.process else "-"
