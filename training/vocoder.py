"""Stage 4: train HiFi-GAN on recorded mels, spectral losses first, discriminators after."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from training.corpus import Corpus, Entry
from training.discriminators import Discriminators, real_and_fake
from training.errors import TrainingError
from training.features import HOP, SAMPLE_RATE, fill_unvoiced
from training.loop import Part, Run, cosine, seed_all, set_rate
from training.losses import SpectralLoss, adversarial_loss, discriminator_loss, feature_loss
from training.presets import VocoderPreset
from training.source import harmonics
from trt_build.export.hifigan import Generator

log = logging.getLogger(__name__)
SPECTRAL_WEIGHT = 5.0
FEATURE_WEIGHT = 2.0


class Segments:
    """Random cuts of training words: mel (B, 80, T), f0 and voicing (B, T), wave (B, T * 200)."""

    def __init__(self, corpus: Corpus, frames: int, device: torch.device) -> None:
        self.corpus, self.frames, self.device = corpus, frames, device
        self.entries = [e for e in corpus.training if e.frames >= frames]
        if not self.entries:
            raise TrainingError(
                "words_missing",
                f"no training word lasts {frames} frames of {HOP / SAMPLE_RATE * 1000} ms; "
                "prepare more or longer recordings",
            )

    def __call__(self, batch: int, seed: int, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The batch of this step; the same for the same seed and step."""
        rng = np.random.default_rng((seed, step))
        cuts = [
            self._cut(self.entries[i], rng) for i in rng.integers(len(self.entries), size=batch)
        ]
        mel, f0, voiced, wave = (
            torch.from_numpy(np.stack(part)).to(self.device) for part in zip(*cuts, strict=True)
        )
        return mel.transpose(1, 2), f0, voiced, wave

    def _cut(self, entry: Entry, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        at = int(rng.integers(entry.frames - self.frames + 1))
        span = slice(at, at + self.frames)
        f0 = self.corpus.f0_of(entry)
        wave = self.corpus.wave_of(entry)[at * HOP : (at + self.frames) * HOP]
        return (
            self.corpus.mel_of(entry)[span],
            fill_unvoiced(f0)[span],
            (f0[span] > 0).astype(np.float32),
            wave,
        )


class VocoderTrainer:
    """Holds the generator, its judges and their optimizers; `train` does both phases."""

    def __init__(
        self, corpus: Corpus, preset: VocoderPreset, folder: Path, device: str, seed: int
    ) -> None:
        seed_all(seed)
        self.corpus, self.preset, self.seed = corpus, preset, seed
        self.device = torch.device(device)
        self.generator = Generator(preset.generator).to(self.device)
        self.judges = Discriminators(preset.mpd_width, preset.msd_width, preset.disc_limit).to(
            self.device
        )
        self.g_opt = torch.optim.AdamW(self.generator.parameters(), preset.rate, betas=(0.8, 0.99))
        self.d_opt = torch.optim.AdamW(
            self.judges.parameters(), preset.adversarial_rate, betas=(0.8, 0.99)
        )
        self.spectral = SpectralLoss().to(self.device)
        self.segments = Segments(corpus, preset.segment, self.device)
        self.scaler = torch.amp.GradScaler(enabled=self.device.type == "cuda")
        parts: dict[str, Part] = {
            "generator": self.generator,
            "judges": self.judges,
            "g_opt": self.g_opt,
            "d_opt": self.d_opt,
            "scaler": self.scaler,
        }
        self.run = Run(folder, parts)

    def generate(self, mel: Tensor, f0: Tensor, voiced: Tensor) -> Tensor:
        """Wave (B, samples) from mel (B, 80, T), f0 and voicing (B, T)."""
        source = self.preset.generator.source
        assert source is not None
        excitation = harmonics(f0, voiced, source.harmonics, HOP, source.sample_rate)
        out: Tensor = self.generator(mel, self.generator.source_module(excitation))
        return out[:, 0]

    def train(self) -> None:
        """Run to the preset's end, from the newest checkpoint on."""
        p = self.preset
        for step in self.run.steps(p.spectral_steps + p.adversarial_steps, "vocoder"):
            if step < p.spectral_steps:
                mel, f0, voiced, real = self.segments(p.batch, self.seed, step)
                set_rate(self.g_opt, cosine(step, p.spectral_steps, p.rate, floor=0.2))
                self._spectral_step(mel, f0, voiced, real)
            else:
                mel, f0, voiced, real = self.segments(p.adversarial_batch, self.seed, step)
                rate = cosine(
                    step - p.spectral_steps, p.adversarial_steps, p.adversarial_rate, floor=0.1
                )
                set_rate(self.g_opt, rate)
                set_rate(self.d_opt, rate)
                self._adversarial_step(mel, f0, voiced, real)
            if (step + 1) % p.sample_every == 0:
                self.write_samples()

    def _spectral_step(self, mel: Tensor, f0: Tensor, voiced: Tensor, real: Tensor) -> None:
        with torch.autocast(self.device.type, enabled=self.device.type == "cuda"):
            fake = self.generate(mel, f0, voiced)
        loss = self.spectral(fake.float(), real)
        self._update(loss, self.g_opt, self.generator)
        self.run.log(spectral=loss.item())

    def _adversarial_step(self, mel: Tensor, f0: Tensor, voiced: Tensor, real: Tensor) -> None:
        with torch.autocast(self.device.type, enabled=self.device.type == "cuda"):
            fake = self.generate(mel, f0, voiced)
            (real_scores, _), (fake_scores, _) = real_and_fake(
                self.judges, real[:, None], fake.detach()[:, None]
            )
        d_loss = discriminator_loss(real_scores, fake_scores)
        self._update(d_loss, self.d_opt, self.judges)
        self.judges.requires_grad_(False)
        with torch.autocast(self.device.type, enabled=self.device.type == "cuda"):
            (_, real_features), (scores, features) = real_and_fake(
                self.judges, real[:, None], fake[:, None]
            )
        spectral = self.spectral(fake.float(), real)
        adversarial, matching = adversarial_loss(scores), feature_loss(real_features, features)
        total = adversarial + FEATURE_WEIGHT * matching + SPECTRAL_WEIGHT * spectral
        self._update(total, self.g_opt, self.generator)
        self.judges.requires_grad_(True)
        self.run.log(
            spectral=spectral.item(),
            judge=d_loss.item(),
            fooled=adversarial.item(),
            features=matching.item(),
        )

    def _update(
        self, loss: Tensor, optimizer: torch.optim.Optimizer, model: torch.nn.Module
    ) -> None:
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self.scaler.scale(loss))
        self.scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        self.scaler.step(optimizer)
        self.scaler.update()

    @torch.no_grad()
    def write_samples(self, count: int = 4) -> None:
        """Copy-synthesise some held-out words into one WAV beside the checkpoint."""
        if not self.corpus.held_out:
            return
        words = []
        for entry in self.corpus.held_out[:count]:
            f0 = self.corpus.f0_of(entry)
            inputs = (self.corpus.mel_of(entry).T, fill_unvoiced(f0), (f0 > 0).astype(np.float32))
            words.append(
                self.generate(
                    *(torch.from_numpy(np.array(x))[None].to(self.device) for x in inputs)
                )[0]
            )
        wave = torch.cat(words).cpu().numpy()
        soundfile.write(self.run.folder / f"sample_{self.run.step + 1:06d}.wav", wave, SAMPLE_RATE)
