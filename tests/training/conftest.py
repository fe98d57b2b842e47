from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.training.small import images

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred small images, to train on and to test with."""
    return images(tmp_path_factory.mktemp("photographs"))
