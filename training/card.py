"""The README.md and LICENSE of a voice pack: what it was made of, how, and what it can do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from torch import Tensor, nn

from training.corpus import Corpus
from training.emotions import at_pace
from training.features import HOP, SAMPLE_RATE
from training.phrases import WORD_COUNT_ODDS, WORD_COUNTS
from training.presets import PRESETS
from training.source import ALPHA
from trt_build.export.hifigan import Generator
from trt_build.export.sambert import Sambert

LICENCE = "CC-BY-SA-3.0"  # of the recordings the built-in voice is made of
QUALITY = "quality.json"
UNHEARD = 0.01  # largest excitation, of 1, that counts as none
_LICENCE_TEXT = Path(__file__).with_name("voice_license.txt")
_CARD = Path(__file__).with_name("voice_card.md")
_BUILT_IN = (
    "Recordings of Mandarin words read by Yue Tan (Shtooka, *Base Audio Libre De Mots Chinois*,\n"
    "cmn-caen-tan, 2009; copy: github.com/hugolpz/audio-cmn, folder 96k/hsk), CC BY-SA 3.0; see "
    "LICENSE."
)
_MEASURES = (
    ("mel-cepstral distortion, dB", "mcd_db", ".2f"),
    ("same, 90th percentile", "mcd_db_p90", ".2f"),
    ("log f0 correlation", "f0_correlation", ".3f"),
    ("f0 RMSE, cents", "f0_rmse_cents", ".0f"),
    ("voicing error", "voicing_error", ".1%"),
    ("length / recording", "length_ratio", ".2f"),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is said of a pack; size: the preset's name, steps: as trained so far."""

    name: str
    licence: str
    size: str
    acoustic_steps: int
    vocoder_steps: int


def licence_text(facts: Facts) -> str:
    """LICENSE: the credits of the built-in recordings under their licence, else its name alone."""
    if facts.licence != LICENCE:
        return f'The voice "{facts.name}" is licensed under {facts.licence}.\n'
    return Template(_LICENCE_TEXT.read_text("utf-8")).substitute(name=facts.name)


def card(
    facts: Facts, corpus: Corpus, sambert: Sambert, generator: Generator, quality: Path
) -> str:
    """README.md; quality: what `benchmarks.quality --json` wrote, if it did."""
    preset, words = PRESETS[facts.size], corpus.training
    config, vocoder = generator.config, preset.vocoder
    own = f"Recordings of words, under {facts.licence}."
    return Template(_CARD.read_text("utf-8")).substitute(
        name=facts.name,
        size=facts.size,
        data=_BUILT_IN if facts.licence == LICENCE else own,
        words=f"{len(words):,}",
        hours=f"{sum(e.frames for e in words) * HOP / SAMPLE_RATE / 3600:.1f}",
        held_out=len(corpus.held_out),
        acoustic_size=_millions(sambert),
        acoustic_steps=f"{facts.acoustic_steps:,}",
        acoustic_total=f"{preset.acoustic.steps:,}",
        vocoder_size=_millions(generator),
        vocoder_steps=f"{facts.vocoder_steps:,}",
        vocoder_total=f"{vocoder.spectral_steps + vocoder.adversarial_steps:,}",
        spectral_total=f"{vocoder.spectral_steps:,}",
        harmonics=config.source.harmonics if config.source else 0,
        channels=config.channels,
        kernels=", ".join(map(str, config.resblock_kernels)),
        joined=f"{1 - WORD_COUNT_ODDS[0]:.0%}",
        fewest=WORD_COUNTS[1],
        most=WORD_COUNTS[-1],
        pace=_pace(preset.pace),
        emotions=_emotions(preset.pace),
        source=_source_limit(generator),
        measures=_measures(quality, facts.name),
    )


def _millions(model: nn.Module) -> str:
    return f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} million"


def _pace(pace: float) -> str:
    if pace == 1.0:
        return "`neutral` speaks at the pace that was learned."
    return (
        f"Words read from a list are slow. `neutral` therefore speaks at {pace:g} times the pace "
        "that was learned, and\nso do all emotions below: their speeds include this factor."
    )


def _source_limit(generator: Generator) -> str:
    """A further limit where training has driven the harmonic source to nothing."""
    if generator.config.source is None:
        return ""
    weights = generator.source_module.ffn[0].weight
    assert isinstance(weights, Tensor)
    if ALPHA * float(weights.detach().abs().sum()) > UNHEARD:
        return ""
    return (
        "\n- The vocoder makes next to no use of its source: the weights that merge it are close "
        "to zero, and\n  the pitch that is heard comes from the mel."
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _emotions(pace: float) -> str:
    usual = {"speed": 1.0, "pitch": 0.0, "range": 1.0, "energy": 0.0, "volume": 1.0}
    rows = [
        [name, *(f"{preset.get(key, value):g}" for key, value in usual.items())]
        for name, preset in at_pace(pace).items()
    ]
    return _table(["emotion", *usual], rows)


def _measures(path: Path, name: str) -> str:
    command = (
        f"python -m benchmarks.quality --corpus RUN/corpus --voice RUN/{name} --json RUN/{QUALITY}"
    )
    if not path.is_file():
        return f"None yet. To measure, then export again:\n\n```sh\n{command}\n```"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    speech, copy = found["text_to_speech"], found["copy_synthesis"]
    rows = [[title, f"{speech[key]:{f}}", f"{copy[key]:{f}}"] for title, key, f in _MEASURES]
    table = _table(["", "text to speech", "copy-synthesis"], rows)
    return (
        f"On {found['words']} words never trained on, against their recordings, spoken alone at "
        "the pace that was\nlearned. Copy-synthesis is the vocoder alone, fed with the recording's "
        f"own mel and f0.\n\n{table}\n\nHow: {found['definition']}.\n\n```sh\n{command}\n```"
    )
