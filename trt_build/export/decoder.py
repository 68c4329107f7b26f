"""The mel decoder of SAMBERT: autoregressive PNCA blocks, several frames a step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from trt_build.export.attention import PncaBlock, Prenet
from trt_build.export.containers import Layers


class HybridAttentionDecoder(nn.Module):
    """The PNCA stack: last frame and memory in, `outputs_per_step` frames out, a step at a time."""

    def __init__(self, params: dict[str, Any], d_mem: int) -> None:
        super().__init__()
        d_model, d_mel = params["decoder_num_units"], params["num_mels"]
        self.scale = d_model**0.5
        self.prenet = Prenet(d_mel, params["decoder_prenet_units"], d_model)
        self.dec_in_proj = nn.Linear(d_model + d_mem, d_model)
        self.pnca = Layers[PncaBlock](
            PncaBlock(
                d_model,
                d_mem,
                params["decoder_num_heads"],
                params["decoder_ffn_inner_dim"],
                params["decoder_dropout"],
            )
            for _ in range(params["decoder_num_layers"])
        )
        self.ln = nn.LayerNorm(d_model, eps=1e-6)
        self.dec_out_proj = nn.Linear(d_model, d_mel * params["outputs_per_step"])
        self.dropout = nn.Dropout(params["decoder_dropout"])

    def enter(self, frame: Tensor, memory: Tensor) -> Tensor:
        """The stack's input (B, S, d_model) from last frames (B, S, d_mel) and memory."""
        joined = self.dec_in_proj(torch.cat([memory, self.prenet(frame)], -1))
        out: Tensor = self.dropout(joined * self.scale)
        return out

    def leave(self, x: Tensor) -> Tensor:
        """Frames of the steps, side by side: (B, S, d_mel * outputs_per_step)."""
        out: Tensor = self.dec_out_proj(self.ln(x))
        return out

    def forward(self, frame: Tensor, memory: Tensor, band: int, pad: Tensor | None) -> Tensor:
        """All steps at once with the true frames; for training."""
        x_keep, h_keep = band_masks(memory.shape[1], band, memory.device)
        if pad is not None:
            keep = ~pad[:, None, None] | torch.eye(
                pad.shape[1], dtype=torch.bool, device=pad.device
            )
            x_keep, h_keep = x_keep & keep, h_keep & keep
        x = self.enter(frame, memory)
        for layer in self.pnca:
            x = layer(x, memory, x_keep, h_keep)
        return self.leave(x)

    def infer(self, memory: Tensor, band: int, d_mel: int) -> Tensor:
        """Step after step with keys and values that grow, over the whole utterance."""
        states = [layer.start(memory) for layer in self.pnca]
        frame = memory.new_zeros(memory.shape[0], 1, d_mel)
        x_keep, h_keep = band_masks(memory.shape[1], band, memory.device)
        steps: list[Tensor] = []
        for i in range(memory.shape[1]):
            x = self.enter(frame, memory[:, i : i + 1])
            for layer, state in zip(self.pnca, states, strict=True):
                x = layer.step(x, state, x_keep[i : i + 1, : i + 1], h_keep[i : i + 1])
            steps.append(self.leave(x))
            frame = steps[-1][..., -d_mel:]
        return torch.cat(steps, 1)


def band_masks(steps: int, band: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Keys that step i may see, (steps, steps): past i - band..i and memory i..i + band."""
    i = torch.arange(steps, device=device)[:, None]
    j = torch.arange(steps, device=device)[None]
    return (j <= i) & (j >= i - band), (j >= i) & (j <= i + band)


class MelDecoder(nn.Module):
    """Holder of the decoder under KAN-TTS's name."""

    def __init__(self, params: dict[str, Any], d_mem: int) -> None:
        super().__init__()
        self.mel_dec = HybridAttentionDecoder(params, d_mem)
