"""`python -m release.manifests IMAGE`: prints k8s/ as one file that runs this image, comments included.

It is what `kubectl apply -f` takes where no clone is at hand; a test holds it against `kubectl apply -k`.
"""

import re
from pathlib import Path

import click
import yaml

from release import ROOT, ReleaseError, by_digest


def one_file(image: str, directory: Path = ROOT / "k8s") -> str:
    """All resources of the kustomization, in its order, with `image` in the place of the one that it names.

    Raises ReleaseError where the kustomization does more than that, as this would leave it out.
    """
    kustomization = yaml.safe_load((directory / "kustomization.yaml").read_text())
    if unknown := kustomization.keys() - {"apiVersion", "kind", "resources", "images"}:
        raise ReleaseError(f"The kustomization has {', '.join(sorted(unknown))}, which one file cannot say.")
    (named,) = (each["name"] for each in kustomization["images"])
    text = "---\n".join((directory / each).read_text() for each in kustomization["resources"])
    made, count = re.subn(rf"^( *image: ){re.escape(named)}\b.*$", rf"\g<1>{image}", text, flags=re.MULTILINE)
    if count != 1:
        raise ReleaseError(f"{count} containers run {named}; there should be one.")
    return made


@click.command()
@click.argument("image")
def main(image: str) -> None:
    """Print k8s/ as one file that runs IMAGE, by its digest: REGISTRY/OWNER/kubia-pet@sha256:..."""
    by_digest(image)
    click.echo(one_file(image), nl=False)


if __name__ == "__main__":
    main()
