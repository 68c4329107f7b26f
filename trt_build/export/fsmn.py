"""Feed-forward sequential memory network (FSMN), the filters of SAMBERT's predictors and postnet.

Zhang et al. 2018, "Deep-FSMN for Large Vocabulary Continuous Speech Recognition",
arXiv:1803.05030.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from trt_build.export.containers import Layers


class FeedForwardNet(nn.Module):
    """Position-wise: Linear, ReLU, Linear without bias, as 1x1 convolutions."""

    def __init__(self, d_in: int, d_hidden: int, d_out: int, dropout: float) -> None:
        super().__init__()
        self.w_1 = nn.Conv1d(d_in, d_hidden, 1)
        self.w_2 = nn.Conv1d(d_hidden, d_out, 1, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.w_2(self.dropout(F.relu(self.w_1(x.transpose(1, 2)))))
        return out.transpose(1, 2)


class MemoryBlock(nn.Module):
    """A depth-wise filter over time around a skip; `shift` moves its window into the past."""

    def __init__(self, width: int, filter_size: int, shift: int, dropout: float) -> None:
        super().__init__()
        span = filter_size - 1
        self.left = round(span / 2) + shift
        self.right = span // 2 - shift
        self.conv_dw = nn.Conv1d(width, width, filter_size, groups=width, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, pad: Tensor | None = None) -> Tensor:
        if pad is not None:
            x = x.masked_fill(pad[..., None], 0.0)
        padded = F.pad(x, (0, 0, self.left, self.right))
        out: Tensor = self.dropout(self.conv_dw(padded.transpose(1, 2)).transpose(1, 2) + x)
        return out if pad is None else out.masked_fill(pad[..., None], 0.0)


class Fsmn(nn.Module):
    """A stack of feed-forward and memory blocks: (B, T, d_in) -> (B, T, width)."""

    def __init__(
        self,
        d_in: int,
        width: int,
        d_inner: int,
        *,
        filter_size: int,
        layers: int,
        shift: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.ffn_lst = Layers[FeedForwardNet](
            FeedForwardNet(d_in if i == 0 else width, d_inner, width, dropout)
            for i in range(layers)
        )
        self.memory_block_lst = Layers[MemoryBlock](
            MemoryBlock(width, filter_size, shift, dropout) for _ in range(layers)
        )
        self.dropout = nn.Dropout(dropout)

    @classmethod
    def from_params(cls, d_in: int, params: dict[str, Any], prefix: str) -> Fsmn:
        """The stack whose sizes KAN-TTS's params give under `prefix` (predictor or postnet)."""
        return cls(
            d_in,
            params[f"{prefix}_num_memory_units"],
            params[f"{prefix}_ffn_inner_dim"],
            filter_size=params[f"{prefix}_filter_size"],
            layers=params[f"{prefix}_fsmn_num_layers"],
            shift=params[f"{prefix}_shift"],
            dropout=params[f"{prefix}_dropout"],
        )

    def forward(self, x: Tensor, pad: Tensor | None = None) -> Tensor:
        x = self.dropout(x)
        for ffn, memory_block in zip(self.ffn_lst, self.memory_block_lst, strict=True):
            memory: Tensor = self.dropout(memory_block(ffn(x), pad))
            x = memory + x if memory.shape[-1] == x.shape[-1] else memory
        return x
