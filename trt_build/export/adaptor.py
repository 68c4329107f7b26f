"""Variance adaptor of SAMBERT: pitch, energy and duration per symbol, expansion to frames."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from trt_build.export.attention import Prenet
from trt_build.export.fsmn import Fsmn

LstmState = tuple[Tensor, Tensor]


class ProsodyPredictor(nn.Module):
    """Pitch or energy per symbol: FSMN, bidirectional LSTM, Linear. (B, T, d_in) -> (B, T)."""

    def __init__(self, d_in: int, params: dict[str, Any]) -> None:
        super().__init__()
        width, units = params["predictor_num_memory_units"], params["predictor_lstm_units"]
        self.fsmn = Fsmn.from_params(d_in, params, "predictor")
        self.blstm = nn.LSTM(width, units, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * units, 1)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        if lengths is None:
            hidden, _ = self.blstm(self.fsmn(x))
            out: Tensor = self.fc(hidden).squeeze(-1)
            return out
        pad = padding_mask(lengths, x.shape[1])
        packed = pack_padded_sequence(
            self.fsmn(x, pad), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        hidden, _ = pad_packed_sequence(
            self.blstm(packed)[0], batch_first=True, total_length=x.shape[1]
        )
        out = self.fc(hidden).squeeze(-1)
        return out.masked_fill(pad, 0.0)


class DurationPredictor(nn.Module):
    """Log duration per symbol, autoregressive: a step sees the duration before it.

    Durations are log(frames + 1). Training feeds the true ones, shifted by one.
    """

    def __init__(self, d_cond: int, params: dict[str, Any]) -> None:
        super().__init__()
        self.d_cond = d_cond
        prenet, units = params["dur_pred_prenet_units"], params["dur_pred_lstm_units"]
        self.prenet = Prenet(1, prenet)
        self.lstm = nn.LSTM(prenet[-1] + d_cond, units, num_layers=2, batch_first=True)
        self.fc = nn.Linear(units, 1)

    def forward(
        self, before: Tensor, cond: Tensor, state: LstmState | None = None
    ) -> tuple[Tensor, LstmState]:
        """before (B, T, 1) and cond (B, T, d_cond) -> (B, T) and the LSTM state."""
        after: LstmState
        hidden, after = self.lstm(torch.cat([self.prenet(before), cond], -1), state)
        return F.relu(self.fc(hidden).squeeze(-1)), after

    def infer(self, cond: Tensor) -> Tensor:
        """Symbol by symbol: (B, T, d_cond) -> (B, T)."""
        out, state = [], None
        last = cond.new_zeros(cond.shape[0], 1)
        for i in range(cond.shape[1]):
            last, state = self(last[..., None], cond[:, i : i + 1], state)
            out.append(last)
        return torch.cat(out, -1)


class DurationPosition(nn.Module):
    """Sinusoids of each frame's position within its symbol, counted from 1."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        scales = [10000 ** (2 * (i // 2) / depth) for i in range(depth)]
        self.inv_timescales = nn.Parameter(torch.tensor(scales), requires_grad=False)

    def forward(self, position: Tensor) -> Tensor:
        """(B, frames) -> (B, frames, depth); position 0 stands for padding."""
        angle = position[..., None] / self.inv_timescales
        even = torch.arange(angle.shape[-1], device=angle.device) % 2 == 0
        return torch.where(even, torch.sin(angle), torch.cos(angle))


def padding_mask(lengths: Tensor, size: int) -> Tensor:
    """(B, size), True beyond each length."""
    return torch.arange(size, device=lengths.device) >= lengths[:, None]


def frame_symbols(durations: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Which symbol each frame belongs to.

    durations (B, T) in frames, rounded here. Returns the symbol index (B, frames), the position
    within the symbol counted from 1 (B, frames), and the lengths (B,). Beyond a length the
    index is 0 and the position 0.
    """
    whole = (durations + 0.5).long()
    ends = whole.cumsum(1)
    lengths = ends[:, -1]
    frames = torch.arange(int(lengths.max()), device=durations.device).expand(len(whole), -1)
    index = torch.searchsorted(ends, frames.contiguous(), right=True)
    pad = frames >= lengths[:, None]
    index = index.masked_fill(pad, 0)
    position = frames - (ends - whole).gather(1, index) + 1
    return index, position.masked_fill(pad, 0), lengths


def expand(x: Tensor, index: Tensor, pad: Tensor) -> Tensor:
    """Length regulator: (B, T, C) by symbol index (B, frames) -> (B, frames, C), zero where pad."""
    out = x.gather(1, index[..., None].expand(-1, -1, x.shape[-1]))
    return out.masked_fill(pad[..., None], 0.0)


class VarianceAdaptor(nn.Module):
    """Predictors and embeddings; what is done with their output is the caller's business."""

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__()
        d_text = params["encoder_projection_units"]
        d_in = d_text + params["emotion_units"] + params["speaker_units"]
        self.pitch_predictor = ProsodyPredictor(d_in, params)
        self.energy_predictor = ProsodyPredictor(d_in, params)
        self.duration_predictor = DurationPredictor(d_in, params)
        self.dur_position_encoder = DurationPosition(d_text)
        self.pitch_emb = nn.Conv1d(1, d_text, 9, padding=4)
        self.energy_emb = nn.Conv1d(1, d_text, 9, padding=4)

    def coloured(self, text: Tensor, pitch: Tensor, energy: Tensor) -> Tensor:
        """Text hidden states (B, T, d_text) with pitch and energy (B, T) added."""
        added: Tensor = self.pitch_emb(pitch[:, None]) + self.energy_emb(energy[:, None])
        return text + added.transpose(1, 2)
