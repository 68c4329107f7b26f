"""SAMBERT acoustic model with KAN-TTS's parameter names, for training and export only.

Reference: github.com/alibaba-damo-academy/KAN-TTS (kantts/models/sambert). Text encoder, variance
adaptor, autoregressive PNCA mel decoder with `outputs_per_step` frames a step, and postnet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trt_build.export.adaptor import VarianceAdaptor, expand, frame_symbols, padding_mask
from trt_build.export.attention import TextBlock
from trt_build.export.containers import Layers
from trt_build.export.decoder import MelDecoder
from trt_build.export.fsmn import Fsmn


class NoFramesError(ValueError):
    """The duration predictor gives an utterance no frames at all."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Sizes of the embedding tables."""

    sy: int
    tone: int
    syllable_flag: int
    word_segment: int
    emotion: int
    speaker: int


@dataclass(frozen=True, slots=True)
class Acoustics:
    """What SAMBERT says of one batch; training has targets in place of some predictions."""

    log_durations: Tensor
    pitch: Tensor
    energy: Tensor
    text_hidden: Tensor
    memory: Tensor
    band: int
    decoder_mel: Tensor
    mel: Tensor
    lengths: Tensor


def sinusoids(positions: int, depth: int) -> Tensor:
    """Position table (positions, depth): sines in the first half, cosines in the second."""
    half = depth // 2
    rate = np.power(10000.0, np.arange(half) / (half - 1))
    angle = np.arange(1, positions + 1)[:, None] / rate
    return torch.from_numpy(np.concatenate([np.sin(angle), np.cos(angle)], 1)).float()


class PositionTable(nn.Module):
    """Adds absolute positions; the table grows past max_len as the reference's does."""

    def __init__(self, max_len: int, depth: int) -> None:
        super().__init__()
        self.position_enc = nn.Parameter(sinusoids(max_len, depth)[None], requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        length, depth = x.shape[1:]
        table = self.position_enc
        if length > table.shape[1]:
            return x + sinusoids(length, depth).to(x)
        return x + table[:, :length]


class LingEncoder(nn.Module):
    """Self-attention stack over the summed symbol embeddings."""

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__()
        d_emb, d_model = params["embedding_dim"], params["encoder_num_units"]
        self.scale = d_model**0.5
        self.fft = Layers[TextBlock](
            TextBlock(
                d_emb if i == 0 else d_model,
                d_model,
                params["encoder_num_heads"],
                params["encoder_ffn_inner_dim"],
                params["encoder_dropout"],
            )
            for i in range(params["encoder_num_layers"])
        )
        self.ln = nn.LayerNorm(d_model, eps=1e-6)
        self.position_enc = PositionTable(params["max_len"], d_emb)
        self.dropout = nn.Dropout(params["encoder_dropout"])

    def forward(self, x: Tensor, pad: Tensor | None = None) -> Tensor:
        x = self.dropout(self.position_enc(x * self.scale))
        for layer in self.fft:
            x = layer(x, pad)
        out: Tensor = self.ln(x)
        return out


class TextFftEncoder(nn.Module):
    """Symbols (B, T, 4) of phone, tone, syllable flag, word segment -> hidden (B, T, d_text)."""

    def __init__(self, params: dict[str, Any], vocabulary: Vocabulary) -> None:
        super().__init__()
        d_emb = params["embedding_dim"]
        self.sy_emb = nn.Embedding(vocabulary.sy, d_emb)
        self.tone_emb = nn.Embedding(vocabulary.tone, d_emb)
        self.syllable_flag_emb = nn.Embedding(vocabulary.syllable_flag, d_emb)
        self.ws_emb = nn.Embedding(vocabulary.word_segment, d_emb)
        self.ling_enc = LingEncoder(params)
        self.ling_proj = nn.Linear(
            params["encoder_num_units"], params["encoder_projection_units"], bias=False
        )

    def forward(self, ling: Tensor, pad: Tensor | None = None) -> Tensor:
        embedded = (
            self.sy_emb(ling[..., 0])
            + self.tone_emb(ling[..., 1])
            + self.syllable_flag_emb(ling[..., 2])
            + self.ws_emb(ling[..., 3])
        )
        out: Tensor = self.ling_proj(self.ling_enc(embedded, pad))
        return out


class PostNet(nn.Module):
    """FSMN, LSTM, Linear over the decoder's frames; predicts what to add to them."""

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__()
        d_mel, width = params["num_mels"], params["postnet_num_memory_units"]
        self.fsmn = Fsmn.from_params(d_mel, params, "postnet")
        self.lstm = nn.LSTM(width, params["postnet_lstm_units"], batch_first=True)
        self.fc = nn.Linear(params["postnet_lstm_units"], d_mel)

    def forward(self, x: Tensor, pad: Tensor | None = None) -> Tensor:
        out: Tensor = self.fc(self.lstm(self.fsmn(x, pad))[0])
        return out


class Sambert(nn.Module):
    """The whole acoustic model. Speakers are ids, or embeddings in a voice trained with SE."""

    def __init__(self, params: dict[str, Any], vocabulary: Vocabulary) -> None:
        super().__init__()
        self.params, self.vocabulary = params, vocabulary
        self.outputs_per_step: int = params["outputs_per_step"]
        self.num_mels: int = params["num_mels"]
        d_mem = (
            params["encoder_projection_units"] * self.outputs_per_step
            + params["emotion_units"]
            + params["speaker_units"]
        )
        self.text_encoder = TextFftEncoder(params, vocabulary)
        self.takes_embeddings = bool(params.get("SE", False))
        if not self.takes_embeddings:
            self.spk_tokenizer = nn.Embedding(vocabulary.speaker, params["speaker_units"])
        self.emo_tokenizer = nn.Embedding(vocabulary.emotion, params["emotion_units"])
        self.variance_adaptor = VarianceAdaptor(params)
        self.mel_decoder = MelDecoder(params, d_mem)
        self.mel_postnet = PostNet(params)

    def with_speakers(self, embeddings: Tensor) -> Sambert:
        """This model with speaker ids that stand for embeddings (speakers, speaker_units).

        For a voice trained with SE, whose speakers are embeddings that never change in use.
        """
        speakers, units = embeddings.shape
        self.spk_tokenizer = nn.Embedding(speakers, units, _weight=embeddings.float())
        self.takes_embeddings = False
        return self

    def speaker_hidden(self, speaker: Tensor) -> Tensor:
        """(B, T, speaker_units) of speaker ids (B, T), or the embeddings themselves."""
        out: Tensor = speaker if self.takes_embeddings else self.spk_tokenizer(speaker)
        return out

    def memory(
        self, text: Tensor, speaker: Tensor, emotion: Tensor, durations: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Decoder memory (B, steps, d_mem) and lengths in frames (B,).

        text (B, T, d_text) is already coloured by pitch and energy. Frames are stacked
        `outputs_per_step` at a time; of speaker and emotion the first frame of a step counts.
        """
        index, position, lengths = frame_symbols(durations)
        pad = position == 0
        frames = expand(text, index, pad) + self.variance_adaptor.dur_position_encoder(
            position.float()
        ).masked_fill(pad[..., None], 0.0)
        short = -frames.shape[1] % self.outputs_per_step
        frames = F.pad(frames, (0, 0, 0, short))
        if short:
            tail = self.variance_adaptor.dur_position_encoder(position.new_zeros(1, 1).float())
            frames[:, -short:] += tail
        b = frames.shape[0]
        first = slice(0, None, self.outputs_per_step)
        stacked = frames.reshape(b, -1, self.outputs_per_step * frames.shape[-1])
        spk = expand(speaker, index, pad)[:, first]
        emo = expand(emotion, index, pad)[:, first]
        return torch.cat([stacked, spk, emo], -1), lengths

    def band(self, durations: Tensor) -> int:
        """How many steps the decoder looks back, and ahead in the memory.

        KAN-TTS takes it from the longest symbol; a voice trained with a fixed `pnca_band` keeps
        that.
        """
        fixed: int = self.params.get("pnca_band", 0)
        return fixed or int(durations.max() / self.outputs_per_step + 0.5)

    @torch.no_grad()
    def infer(self, ling: Tensor, emotion: Tensor, speaker: Tensor) -> Acoustics:
        """Whole utterance, predictions all the way, batch of one: as KAN-TTS infers.

        Raises:
            NoFramesError: the model is too raw to give the utterance a length.
        """
        adaptor = self.variance_adaptor
        text = self.text_encoder(ling)
        spk, emo = self.speaker_hidden(speaker), self.emo_tokenizer(emotion)
        joined = torch.cat([text, spk, emo], -1)
        pitch, energy = adaptor.pitch_predictor(joined), adaptor.energy_predictor(joined)
        coloured = adaptor.coloured(text, pitch, energy)
        log_durations = adaptor.duration_predictor.infer(torch.cat([coloured, spk, emo], -1))
        durations = torch.exp(log_durations) - 1
        if not (durations >= 0.5).any():
            raise NoFramesError("no symbol lasts a frame: the voice is not trained far enough")
        memory, lengths = self.memory(coloured, spk, emo, durations)
        band = self.band(durations)
        steps = self.mel_decoder.mel_dec.infer(memory, band, self.num_mels)
        decoder_mel = steps.reshape(len(steps), -1, self.num_mels)
        pad = padding_mask(lengths, decoder_mel.shape[1])
        decoder_mel = decoder_mel.masked_fill(pad[..., None], 0.0)
        mel = (self.mel_postnet(decoder_mel, pad) + decoder_mel).masked_fill(pad[..., None], 0.0)
        return Acoustics(
            log_durations, pitch, energy, text, memory, band, decoder_mel, mel, lengths
        )
