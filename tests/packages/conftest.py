"""One tiny package for all tests of a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.packages.made import tiny_package

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of the package of a language model of 76 values."""
    return tiny_package(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def zip_file(tmp_path: Path, tiny: bytes) -> Path:
    """The tiny package as a file, alone in its folder."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    path = folder / "entry.zip"
    path.write_bytes(tiny)
    return path
