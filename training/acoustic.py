"""Stage 3: train SAMBERT on aligned words and phrases, teacher-forced."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from training.corpus import Corpus
from training.features import N_MELS
from training.loop import Run, cosine, seed_all, set_rate
from training.phrases import WORD_COUNT_ODDS, WORD_COUNTS, Example, PhraseMaker
from training.pictures import Panel, draw
from training.presets import AcousticPreset
from training.script import word_symbols
from training.source import VOICING_THRESHOLD
from trt_build.export.adaptor import padding_mask
from trt_build.export.sambert import NoFramesError, Sambert, Vocabulary

log = logging.getLogger(__name__)
F0_WEIGHT = 6.0
VOICING_WEIGHT = 3.0
FRAMES_PER_WORD = 48


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples side by side, padded with zeros; lengths in symbols and in frames."""

    ids: Tensor
    durations: Tensor
    mel: Tensor
    pitch: Tensor
    energy: Tensor
    symbols: Tensor
    frames: Tensor


def collate(examples: Sequence[Example], device: torch.device) -> Batch:
    """Pad and stack."""

    def padded(parts: Sequence[np.ndarray]) -> Tensor:
        return pad_sequence([torch.from_numpy(p) for p in parts], batch_first=True).to(device)

    return Batch(
        padded([e.ids for e in examples]),
        padded([e.durations for e in examples]),
        padded([e.mel for e in examples]),
        padded([e.pitch for e in examples]),
        padded([e.energy for e in examples]),
        torch.tensor([len(e.ids) for e in examples], device=device),
        torch.tensor([len(e.mel) for e in examples], device=device),
    )


@dataclass(frozen=True, slots=True)
class Predicted:
    """What the model makes of a batch when it is shown the targets."""

    log_durations: Tensor
    pitch: Tensor
    energy: Tensor
    decoder_mel: Tensor
    mel: Tensor


def teacher_forced(model: Sambert, batch: Batch) -> Predicted:
    """One pass with true durations, pitch, energy and previous frames."""
    adaptor, r = model.variance_adaptor, model.outputs_per_step
    pad = padding_mask(batch.symbols, batch.ids.shape[1])
    text = model.text_encoder(batch.ids[..., :4], pad)
    emotion, speaker = (
        model.emo_tokenizer(batch.ids[..., 4]),
        model.speaker_hidden(batch.ids[..., 5]),
    )
    joined = torch.cat([text, speaker, emotion], -1)
    pitch = adaptor.pitch_predictor(joined, batch.symbols)
    energy = adaptor.energy_predictor(joined, batch.symbols)
    coloured = adaptor.coloured(text, batch.pitch, batch.energy)
    durations = batch.durations.float()
    before = torch.log1p(torch.nn.functional.pad(durations[:, :-1], (1, 0)))[..., None]
    log_durations, _ = adaptor.duration_predictor(
        before, torch.cat([coloured, speaker, emotion], -1)
    )
    memory, lengths = model.memory(coloured, speaker, emotion, durations)
    frames = torch.nn.functional.pad(batch.mel, (0, 0, 0, memory.shape[1] * r - batch.mel.shape[1]))
    last = torch.nn.functional.pad(frames[:, r - 1 :: r], (0, 0, 1, 0))[:, :-1]
    steps = torch.div(lengths + r - 1, r, rounding_mode="floor")
    step_pad = padding_mask(steps, memory.shape[1])
    decoded = model.mel_decoder.mel_dec(last, memory, model.band(durations), step_pad)
    decoded = decoded.reshape(len(frames), -1, model.num_mels)[:, : batch.mel.shape[1]]
    frame_pad = padding_mask(lengths, decoded.shape[1])
    decoded = decoded.masked_fill(frame_pad[..., None], 0.0)
    return Predicted(
        log_durations, pitch, energy, decoded, decoded + model.mel_postnet(decoded, frame_pad)
    )


class AcousticTrainer:
    """Holds SAMBERT and its optimizer."""

    def __init__(
        self,
        corpus: Corpus,
        durations: dict[int, tuple[int, list[int]]],
        preset: AcousticPreset,
        folder: Path,
        device: str,
        seed: int,
    ) -> None:
        seed_all(seed)
        self.preset, self.seed, self.device = preset, seed, torch.device(device)
        self.corpus = corpus
        self.phrases = PhraseMaker(corpus, durations, corpus.training)
        self.model = Sambert(preset.params, Vocabulary(*self.phrases.table.sizes)).to(self.device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), preset.rate, betas=(0.9, 0.98))
        weights = torch.ones(N_MELS + 2)
        weights[-2], weights[-1] = F0_WEIGHT, VOICING_WEIGHT
        self.bin_weights = (weights / weights.mean()).to(self.device)
        self.run = Run(folder, {"sambert": self.model, "optimizer": self.optimizer})

    def batch(self, step: int) -> Batch:
        """The examples of this step, all of the same number of words."""
        rng = np.random.default_rng((self.seed, step))
        words = int(rng.choice(WORD_COUNTS, p=WORD_COUNT_ODDS))
        size = max(2, self.preset.batch_frames // (FRAMES_PER_WORD * words))
        return collate([self.phrases.draw(rng, words) for _ in range(size)], self.device)

    def train(self) -> None:
        """Run to the preset's end, from the newest checkpoint on."""
        self.model.train()
        for step in self.run.steps(self.preset.steps, "acoustic"):
            set_rate(self.optimizer, cosine(step, self.preset.steps, self.preset.rate, warmup=400))
            batch = self.batch(step)
            with torch.autocast(
                self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"
            ):
                losses = self.losses(batch)
            self.optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(torch.stack(list(losses.values())).sum())
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.run.log(**{name: loss.item() for name, loss in losses.items()})
            if (step + 1) % self.preset.sample_every == 0:
                self.write_sample()

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """L1 of mel before and after the postnet (f0 and voicing weigh more), and of prosody."""
        out = teacher_forced(self.model, batch)
        frames = ~padding_mask(batch.frames, batch.mel.shape[1])
        symbols = ~padding_mask(batch.symbols, batch.ids.shape[1])

        def per_frame(mel: Tensor) -> Tensor:
            return ((mel - batch.mel).abs() * self.bin_weights)[frames].mean()

        def per_symbol(got: Tensor, wanted: Tensor) -> Tensor:
            return (got - wanted).abs()[symbols].mean()

        return {
            "decoder": per_frame(out.decoder_mel),
            "postnet": per_frame(out.mel),
            "duration": per_symbol(out.log_durations, torch.log1p(batch.durations.float())),
            "pitch": per_symbol(out.pitch, batch.pitch),
            "energy": per_symbol(out.energy, batch.energy),
        }

    def write_sample(self, count: int = 3) -> None:
        """Draw some held-out words as recorded, and as the model says them from the text alone."""
        columns = []
        self.model.eval()
        for i, entry in enumerate(self.corpus.held_out[:count]):
            ids = self.phrases.table.encode(word_symbols(entry.syllables))
            batch = torch.from_numpy(ids)[None].to(self.device)
            try:
                said = self.model.infer(batch[..., :4], batch[..., 4], batch[..., 5])
            except NoFramesError:
                log.info("no picture: at this step the model gives a word no length yet")
                break
            frames = said.mel[0].float().cpu().numpy()
            hz = frames[:, -2] * self.corpus.stats.f0_std + self.corpus.stats.f0_mean
            f0 = np.where(frames[:, -1] >= VOICING_THRESHOLD, hz, 0.0).astype(np.float32)
            title = " ".join(entry.syllables)
            recorded = Panel(title, self.corpus.mel_of(entry), self.corpus.f0_of(entry))
            columns.append([recorded, Panel(f"word {i + 1}, synthesis", frames[:, :-2], f0)])
        self.model.train()
        if columns:
            draw(columns, self.run.folder / f"sample_{self.run.step + 1:06d}.png")
