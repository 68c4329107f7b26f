"""For all tests: a busy machine is no slow test to hypothesis, and the user's cache is not used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What daemons of the tests keep goes where the tests are, not into the user's cache."""
    folder, before = tmp_path_factory.mktemp("cache"), os.environ.get("CACHE_DIRECTORY")
    os.environ["CACHE_DIRECTORY"] = str(folder)
    yield folder
    if before is None:
        del os.environ["CACHE_DIRECTORY"]
    else:
        os.environ["CACHE_DIRECTORY"] = before
