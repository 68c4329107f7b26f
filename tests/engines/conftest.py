"""Real voice packs of random weights, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import random_voice


@pytest.fixture(scope="session")
def models() -> random_voice.Models:
    """PyTorch models without a neural source filter, so that audio is a function of the text."""
    return random_voice.tiny(nsf=False)


@pytest.fixture(scope="session")
def plain_pack(models: random_voice.Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those models as a pack."""
    return random_voice.write(models, tmp_path_factory.mktemp("voices") / "plain", "plain")


@pytest.fixture(scope="session")
def nsf_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack with a neural source filter and a fixed attention band."""
    return random_voice.write(random_voice.tiny(), tmp_path_factory.mktemp("voices") / "nsf", "nsf")
