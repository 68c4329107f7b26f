"""Transformer blocks of SAMBERT: self-attention for the text, PNCA for the mel decoder.

PNCA is the pseudo non-causal attention of RobuTrans (Li et al. 2020), in bands: a step looks at
some steps of its own past (x), and at the memory of as many steps from its own on (h).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def heads(x: Tensor, n_head: int) -> Tensor:
    """(B, T, H * D) -> (B, H, T, D)."""
    b, t, _ = x.shape
    return x.view(b, t, n_head, -1).transpose(1, 2)


def unheads(x: Tensor) -> Tensor:
    """(B, H, T, D) -> (B, T, H * D)."""
    b, h, t, d = x.shape
    return x.transpose(1, 2).reshape(b, t, h * d)


class Prenet(nn.Module):
    """Linear, ReLU and dropout per layer, then an optional linear projection."""

    def __init__(self, d_in: int, units: list[int], d_out: int = 0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in zip([d_in, *units[:-1]], units, strict=True):
            layers += [nn.Linear(a, b), nn.ReLU(), nn.Dropout(0.5)]
        if d_out:
            layers.append(nn.Linear(units[-1], d_out))
        self.fcs = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.fcs:
            x = layer(x)
        return x


class FeedForward(nn.Module):
    """Two convolutions over time around a skip connection, layer norm first."""

    def __init__(self, d_model: int, d_inner: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.w_1 = nn.Conv1d(d_model, d_inner, kernel, padding=(kernel - 1) // 2)
        self.w_2 = nn.Conv1d(d_inner, d_model, 1)
        self.layer_norm = nn.LayerNorm(d_model, eps=1e-6)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, pad: Tensor | None = None) -> Tensor:
        y = F.relu(self.w_1(self.layer_norm(x).transpose(1, 2)))
        if pad is not None:
            y = y.masked_fill(pad[:, None], 0.0)
        y = self.w_2(self.dropout(y)).transpose(1, 2)
        out: Tensor = x + self.dropout(y)
        return out


class SelfAttention(nn.Module):
    """Multi-head self-attention, layer norm first; the skip is left out where the width changes."""

    def __init__(self, d_in: int, d_model: int, n_head: int, dropout: float) -> None:
        super().__init__()
        self.n_head = n_head
        self.layer_norm = nn.LayerNorm(d_in, eps=1e-6)
        self.w_qkv = nn.Linear(d_in, 3 * d_model)
        self.fc = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        q, k, v = (heads(part, self.n_head) for part in self.w_qkv(self.layer_norm(x)).chunk(3, -1))
        rate = self.dropout.p if self.training else 0.0
        out: Tensor = self.dropout(
            self.fc(unheads(F.scaled_dot_product_attention(q, k, v, keep, rate)))
        )
        return out + x if out.shape[-1] == x.shape[-1] else out


class TextBlock(nn.Module):
    """One layer of the text encoder (KAN-TTS: FFTBlock)."""

    def __init__(self, d_in: int, d_model: int, n_head: int, d_inner: int, dropout: float) -> None:
        super().__init__()
        self.slf_attn = SelfAttention(d_in, d_model, n_head, dropout)
        self.pos_ffn = FeedForward(d_model, d_inner, 3, dropout)

    def forward(self, x: Tensor, pad: Tensor | None = None) -> Tensor:
        keep = None if pad is None else ~pad[:, None, None]
        x = self.slf_attn(x, keep)
        if pad is None:
            whole: Tensor = self.pos_ffn(x)
            return whole
        out: Tensor = self.pos_ffn(x.masked_fill(pad[..., None], 0.0), pad)
        return out.masked_fill(pad[..., None], 0.0)


class KvState:
    """Keys and values of one PNCA layer, as they grow step by step."""

    __slots__ = ("h_k", "h_v", "x_k", "x_v")

    def __init__(self, h_k: Tensor, h_v: Tensor) -> None:
        self.h_k, self.h_v = h_k, h_v
        self.x_k: Tensor | None = None
        self.x_v: Tensor | None = None

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add one step's key and value; return all so far."""
        self.x_k = k if self.x_k is None else torch.cat([self.x_k, k], dim=2)
        self.x_v = v if self.x_v is None else torch.cat([self.x_v, v], dim=2)
        return self.x_k, self.x_v


class PncaAttention(nn.Module):
    """Attention to the own past and to the memory ahead, with one query for both."""

    def __init__(self, d_model: int, d_mem: int, n_head: int, dropout: float) -> None:
        super().__init__()
        self.n_head = n_head
        self.layer_norm = nn.LayerNorm(d_model, eps=1e-6)
        self.w_x_qkv = nn.Linear(d_model, 3 * d_model)
        self.fc_x = nn.Linear(d_model, d_model)
        self.w_h_kv = nn.Linear(d_mem, 2 * d_model)
        self.fc_h = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value (B, H, T, D) of the decoder's own input (B, T, d_model)."""
        q, k, v = self.w_x_qkv(self.layer_norm(x)).chunk(3, -1)
        return heads(q, self.n_head), heads(k, self.n_head), heads(v, self.n_head)

    def memory_kv(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Key and value (B, H, S, D) of the memory (B, S, d_mem)."""
        k, v = self.w_h_kv(memory).chunk(2, -1)
        return heads(k, self.n_head), heads(v, self.n_head)

    def attend(
        self,
        q: Tensor,
        x_kv: tuple[Tensor, Tensor],
        h_kv: tuple[Tensor, Tensor],
        x_keep: Tensor | None,
        h_keep: Tensor | None,
    ) -> Tensor:
        """Both attentions, projected and added: (B, T, d_model). True in a mask keeps a key."""
        rate = self.dropout.p if self.training else 0.0
        x = unheads(F.scaled_dot_product_attention(q, *x_kv, x_keep, rate))
        h = unheads(F.scaled_dot_product_attention(q, *h_kv, h_keep, rate))
        out: Tensor = self.dropout(self.fc_x(x) + self.fc_h(h))
        return out


class PncaBlock(nn.Module):
    """One layer of the mel decoder."""

    def __init__(self, d_model: int, d_mem: int, n_head: int, d_inner: int, dropout: float) -> None:
        super().__init__()
        self.pnca_attn = PncaAttention(d_model, d_mem, n_head, dropout)
        self.pos_ffn = FeedForward(d_model, d_inner, 1, dropout)

    def forward(self, x: Tensor, memory: Tensor, x_keep: Tensor, h_keep: Tensor) -> Tensor:
        """All steps at once, under masks; for training."""
        q, k, v = self.pnca_attn.qkv(x)
        attended = self.pnca_attn.attend(
            q, (k, v), self.pnca_attn.memory_kv(memory), x_keep, h_keep
        )
        out: Tensor = self.pos_ffn(x + attended)
        return out

    def start(self, memory: Tensor) -> KvState:
        """The state before the first step."""
        return KvState(*self.pnca_attn.memory_kv(memory))

    def step(self, x: Tensor, state: KvState, x_keep: Tensor, h_keep: Tensor) -> Tensor:
        """One step (B, 1, d_model), the way KAN-TTS infers: over all keys so far, under masks."""
        q, k, v = self.pnca_attn.qkv(x)
        attended = self.pnca_attn.attend(
            q, state.append(k, v), (state.h_k, state.h_v), x_keep, h_keep
        )
        out: Tensor = self.pos_ffn(x + attended)
        return out
