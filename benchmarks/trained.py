"""The built-in voice's PyTorch models, from the KAN-TTS folders its training left."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.random_voice import Models
from engines.text.symbols import SymbolTable
from trt_build.export.checkpoint import load_generator, load_sambert, read_config


def load_trained(folder: Path) -> tuple[Models, tuple[float, float]]:
    """The models under folder/am and folder/voc, and the mean and deviation of f0 in Hz."""
    speakers = read_config(folder / "am")["linguistic_unit"]["speaker_list"].split(",")
    models = Models(
        load_sambert(folder / "am"),
        load_generator(folder / "voc"),
        SymbolTable.default(speakers=speakers),
    )
    mean, deviation = np.load(folder / "am" / "mvn.npy").flatten()
    return models, (float(mean), float(deviation))
