from __future__ import annotations

from pathlib import Path

import pytest

from engines.text.frontend import FrontEnd


@pytest.fixture(scope="session")
def front_end() -> FrontEnd:
    return FrontEnd()


@pytest.fixture(scope="session")
def data() -> Path:
    return Path(__file__).parents[2] / "data" / "text"
