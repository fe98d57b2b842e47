"""What a package was measured with, or needs: never what happens to be installed where it is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import micronet

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA: Final = "micronet.environment/1"
PYTHON: Final = ">=3.11"
# As pyproject.toml declares them, of the packages that compute.
REQUIRED: Final = {"torch": ">=2.9", "torchvision": ">=0.24", "numpy": ">=2", "pillow": ">=11"}
LICENCES: Final = {
    "micronet-wirings": "Apache-2.0",
    "torch": "BSD-3-Clause",
    "torchvision": "BSD-3-Clause",
    "numpy": "BSD-3-Clause",
    "pillow": "MIT-CMU",
}
MEASURED: Final = "the accuracy receipt"
DECLARED: Final = "declared requirements: no accuracy was measured"


def environment(receipt: Mapping[str, Any] | None) -> dict[str, Any]:
    """``environment.json``: exact versions where a receipt recorded them, else what is required."""
    recorded = {} if receipt is None else receipt["environment"]
    packages = {
        name: f"=={recorded[name]}" if recorded.get(name) else needed
        for name, needed in REQUIRED.items()
    }
    return {
        "schema": SCHEMA,
        "micronet": micronet.__version__,
        "python": f"=={recorded['python']}" if recorded.get("python") else PYTHON,
        "packages": packages,
        "from": DECLARED if receipt is None else MEASURED,
    }


def components(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The software that runs the entry, for the manifest; ``found`` is ``environment.json``."""
    versions = {"micronet-wirings": f"=={found['micronet']}", **found["packages"]}
    return [_component(name, version) for name, version in versions.items()]


def _component(name: str, version: str) -> dict[str, Any]:
    exact = version.removeprefix("==") if version.startswith("==") else None
    return {
        "name": name,
        "version": version,
        "licence": LICENCES[name],
        "purl": f"pkg:pypi/{name}" + (f"@{exact}" if exact else ""),
    }


def install_command(found: Mapping[str, Any]) -> str:
    """The pip command that brings this environment."""
    words = [f"{name}{version}" for name, version in found["packages"].items()]
    return " ".join(f"'{word}'" for word in (f"micronet-wirings=={found['micronet']}", *words))
