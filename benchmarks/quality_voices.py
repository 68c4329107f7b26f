"""The two ways to have a voice speak for the measures: as a pack, or straight from checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.vocoder import F0_FLOOR, VocoderStream
from engines.voice import Style, Voice
from training.corpus import Stats
from training.features import HOP, Floats, fill_unvoiced


class Speaker(Protocol):
    """Text to speech, and copy-synthesis: mel (T, 80) standardised and f0 (T,) in Hz to wave."""

    name: str

    def say(self, text: str) -> Floats: ...

    def copy(self, mel: Floats, f0: Floats) -> Floats: ...


class PackSpeaker:
    """A voice pack, run as the daemon runs it, but at the pace it learned.

    A pack's "neutral" may be faster than its recordings; that is a choice, not an error.
    """

    def __init__(self, folder: Path) -> None:
        pack = VoicePack(folder)
        self._voice, self._file = Voice.load(folder), pack.file
        neutral = pack.file.presets.get("neutral")
        self._style = Style(speed=1.0 / neutral.speed if neutral else 1.0)
        self._vocoder = OrtSession(pack.graphs["vocoder"], 1)
        self.name = pack.file.name

    def say(self, text: str) -> Floats:
        """16 kHz audio."""
        plan = self._voice.plan(text, self._style)
        return np.concatenate([chunk.pcm for chunk in self._voice.stream(plan)])

    def copy(self, mel: Floats, f0: Floats) -> Floats:
        """16 kHz audio of a recording's own features."""
        source, file = self._file.source, self._file
        frames = mel
        if source is not None:
            height = (fill_unvoiced(f0) - source.f0_mean) / source.f0_std
            frames = np.column_stack([mel, height, f0 > 0]).astype(np.float32)
        return VocoderStream(self._vocoder, file, len(frames)).feed(frames)


class CheckpointSpeaker:
    """What a training has saved so far, run in PyTorch, whole words at a time."""

    def __init__(self, run: Path, preset: str, stats: Stats) -> None:
        import torch

        from training.export import load_models, symbol_table
        from training.presets import PRESETS
        from training.script import Reader

        sambert, acoustic_step, generator, vocoder_step = load_models(run, PRESETS[preset])
        self._sambert, self._generator, self._stats = sambert, generator, stats
        self._torch, self._reader, self._table = torch, Reader(), symbol_table()
        self.name = f"{preset}, SAMBERT step {acoustic_step}, HiFi-GAN step {vocoder_step}"

    def say(self, text: str) -> Floats:
        """16 kHz audio."""
        from training.script import word_symbols
        from training.source import VOICING_THRESHOLD

        ids = self._table.encode(word_symbols(self._reader.syllables(text)))
        batch = self._torch.from_numpy(ids)[None]
        frames = self._sambert.infer(batch[..., :4], batch[..., 4], batch[..., 5]).mel[0].numpy()
        hz = np.maximum(frames[:, -2] * self._stats.f0_std + self._stats.f0_mean, F0_FLOOR)
        return self._vocode(frames[:, :-2], hz, frames[:, -1] >= VOICING_THRESHOLD)

    def copy(self, mel: Floats, f0: Floats) -> Floats:
        """16 kHz audio of a recording's own features."""
        return self._vocode(mel, fill_unvoiced(f0), f0 > 0)

    def _vocode(self, mel: Floats, hz: Floats, voiced: np.ndarray) -> Floats:
        from training.source import harmonics

        torch, config = self._torch, self._generator.config
        assert config.source is not None
        inputs = (mel.T, hz, voiced)
        tensors = [torch.from_numpy(np.array(x, np.float32))[None] for x in inputs]
        with torch.no_grad():
            partials = harmonics(
                tensors[1], tensors[2], config.source.harmonics, HOP, config.source.sample_rate
            )
            wave = self._generator(tensors[0], self._generator.source_module(partials))
        out: Floats = wave[0, 0].numpy()
        return out
