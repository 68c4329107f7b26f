"""The baseline: the same models in PyTorch FP32 eager mode, run the way KAN-TTS runs them.

Sentence by sentence, whole utterances, keys and values growing step by step, no batching.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from benchmarks.random_voice import SAMPLE_RATE, Models
from engines.text.frontend import FrontEnd
from engines.text.symbols import symbols
from engines.vocoder import F0_FLOOR
from training.source import VOICING_THRESHOLD, harmonics
from trt_build.export.hifigan import Generator


@dataclass(frozen=True, slots=True)
class Timing:
    """One pass over the sentences: seconds in all, to the first audio, and of audio."""

    total_s: float
    first_s: float
    audio_s: float


class EagerVoice:
    """SAMBERT and HiFi-GAN in eager PyTorch."""

    def __init__(self, models: Models, f0_mean: float, f0_std: float) -> None:
        self.models, self.f0_mean, self.f0_std = models, f0_mean, f0_std
        self.front_end = FrontEnd()
        self.speaker = models.table.speakers[0]

    @torch.no_grad()
    def speak(self, text: str) -> float:
        """Synthesise one text; seconds of audio."""
        samples = 0
        for sentence in self.front_end.read(text):
            ids = torch.from_numpy(
                self.models.table.encode(symbols(sentence, speaker=self.speaker))[None]
            )
            spoken = self.models.sambert.infer(ids[..., :4], ids[..., 4], ids[..., 5])
            samples += self._vocode(spoken.mel[:, : int(spoken.lengths)]).numel()
        return samples / SAMPLE_RATE

    def _vocode(self, mel: torch.Tensor) -> torch.Tensor:
        generator = self.models.generator
        source = generator.config.source
        if source is None:
            return self._run(generator, mel, None)
        f0 = (mel[..., -2] * self.f0_std + self.f0_mean).clamp_min(F0_FLOOR)
        voiced = (mel[..., -1] >= VOICING_THRESHOLD).float()
        partials = harmonics(
            f0, voiced, source.harmonics, generator.config.hop_length, source.sample_rate
        )
        return self._run(generator, mel[..., :-2], generator.source_module(partials))

    @staticmethod
    def _run(
        generator: Generator, mel: torch.Tensor, excitation: torch.Tensor | None
    ) -> torch.Tensor:
        wave: torch.Tensor = generator(mel.transpose(1, 2), excitation)
        return wave

    def time(self, sentences: Sequence[str]) -> Timing:
        """Speak the sentences one after another."""
        start = time.perf_counter()
        audio, first = 0.0, 0.0
        for sentence in sentences:
            audio += self.speak(sentence)
            first = first or time.perf_counter() - start
        return Timing(time.perf_counter() - start, first, audio)
