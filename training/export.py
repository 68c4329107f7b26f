"""Stage 5: the trained models as KAN-TTS model folders and as a voice pack."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

import torch

from engines.text.symbols import SymbolTable
from training import handover
from training.card import QUALITY, Facts, card, licence_text
from training.corpus import Corpus
from training.emotions import at_pace
from training.errors import TrainingError
from training.fallback import fallback
from training.features import SAMPLE_RATE
from training.presets import PRESETS, Preset
from training.script import SPEAKER
from training.source import trained_source
from trt_build.calibration import CALIBRATION
from trt_build.export.hifigan import Generator
from trt_build.export.sambert import Sambert, Vocabulary

log = logging.getLogger(__name__)
LANGUAGE = "zh-CN"


def symbol_table() -> SymbolTable:
    """The vocabulary of a voice trained here."""
    return SymbolTable.default(speakers=(SPEAKER,))


def load_models(run: Path, preset: Preset) -> tuple[Sambert, int, Generator, int]:
    """SAMBERT and the generator as they were last saved, in eval mode, each with its step.

    Raises:
        TrainingError: stage_missing.
    """
    states = {}
    for stage in ("acoustic", "vocoder"):
        path = run / stage / "checkpoint.pth"
        if not path.is_file():
            raise TrainingError("stage_missing", f"there is no {path}; run --stage {stage} first")
        states[stage] = torch.load(path, map_location="cpu", weights_only=True)
    sambert = Sambert(preset.acoustic.params, Vocabulary(*symbol_table().sizes))
    sambert.load_state_dict(states["acoustic"]["sambert"])
    generator = Generator(preset.vocoder.generator)
    generator.load_state_dict(states["vocoder"]["generator"])
    steps = (states["acoustic"]["step"], states["vocoder"]["step"])
    return sambert.eval(), steps[0], generator.eval(), steps[1]


def export(corpus: Corpus, size: str, run: Path, name: str, licence: str) -> None:
    """Write run/kantts/am, run/kantts/voc, and the voice pack run/<name>; size: of the preset.

    Raises:
        TrainingError: stage_missing.
    """
    from training.sample import write_sample
    from trt_build.export.pack import VoiceCard, export_voice

    preset = PRESETS[size]
    sambert, acoustic_step, generator, vocoder_step = load_models(run, preset)
    table, stats = symbol_table(), corpus.stats
    handover.write_acoustic(run / "kantts" / "am", sambert, stats, acoustic_step, SPEAKER)
    handover.write_vocoder(run / "kantts" / "voc", generator, vocoder_step)
    words = [e.syllables for e in corpus.training]
    facts = Facts(name, licence, size, acoustic_step, vocoder_step)
    texts = {
        "calibration.txt": CALIBRATION.read_text("utf-8"),
        "LICENSE": licence_text(facts),
        "README.md": card(facts, corpus, sambert, generator, run / QUALITY),
    }
    export_voice(
        run / name,
        card=VoiceCard(
            name=name,
            language=LANGUAGE,
            licence=licence,
            presets=at_pace(preset.pace),
            fallback=fallback(table.phones, words),
            texts=texts,
        ),
        sambert=sambert,
        generator=generator,
        table=table,
        source=trained_source(stats.f0_mean, stats.f0_std),
        statistics={
            **asdict(stats),
            "words": len(words),
            "acoustic_steps": acoustic_step,
            "vocoder_steps": vocoder_step,
            "pace": preset.pace,
        },
        sample_rate=SAMPLE_RATE,
    )
    write_sample(run / name)
    log.info("the voice is in %s; to install it: cp -r %s voices/", run / name, run / name)
