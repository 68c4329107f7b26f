"""The streaming postnet graph."""

from __future__ import annotations

import onnx
import torch
from torch import nn

from trt_build.export.fsmn import Fsmn
from trt_build.export.graph import END, FlatState, Graph
from trt_build.export.layers import filter_sides, fsmn_ffn, fsmn_filter, lstm_gates, lstm_parameters
from trt_build.export.sambert import Sambert

SHUT = -1e4


def postnet(model: Sambert) -> onnx.ModelProto:
    """decoder_mel (B, N, mels), valid (B, N + lag), state -> mel (B, N, mels), next_state.

    The FSMN looks ahead `right` frames per layer; lag is the sum of these over the layers, and
    frame t comes out once t + lag went in. valid covers the chunk and the `lag` frames before it:
    1 inside the utterance, 0 before its start and after its end, where every layer must see zeros.
    The LSTM's input gate is held shut before the start by an extra input column.

    Raises:
        ExportError: filter_shift.
    """
    net, mels, lag = model.mel_postnet, model.num_mels, postnet_lag(model)
    g = Graph("postnet")
    state = FlatState(g)
    frames = g.input("decoder_mel", ["B", "N", mels])
    valid = g.op("Unsqueeze", g.input("valid", ["B", "N_lag"]), g.ints(2))
    x = _streaming_fsmn(g, state, frames, valid, lag, net.fsmn)
    residual = _lstm(g, state, x, _trimmed(g, valid, 0, lag, "valid"), net.lstm)
    residual = g.linear(residual, "mel_postnet.fc", net.fc.weight, net.fc.bias)
    held = _trimmed(g, state.history(frames, (lag, mels), 1, "held"), 0, lag, "held")
    g.output(g.op("Add", residual, held), "mel", ["B", "N_out", mels])
    state.close()
    return g.model()


def postnet_lag(model: Sambert) -> int:
    """Frames between the postnet's input and its output."""
    return sum(filter_sides(block)[1] for block in model.mel_postnet.fsmn.memory_block_lst)


def _streaming_fsmn(g: Graph, state: FlatState, x: str, valid: str, lag: int, fsmn: Fsmn) -> str:
    """x (B, N, d_in) -> (B, N, width), `lag` frames late; zeros outside the utterance."""
    late, name = 0, "mel_postnet.fsmn"
    for i, (ffn, block) in enumerate(zip(fsmn.ffn_lst, fsmn.memory_block_lst, strict=True)):
        at, width = f"{name}.memory_block_lst.{i}", block.conv_dw.in_channels
        left, right = filter_sides(block)
        y = fsmn_ffn(g, x, f"{name}.ffn_lst.{i}", ffn)
        y = g.op("Mul", y, _trimmed(g, valid, lag - late, late, at), at=at)
        joined = state.history(y, (left + right, width), 1, at)
        filtered = fsmn_filter(g, joined, at, block, (0, 0))
        y = g.op("Add", filtered, _trimmed(g, joined, left, right, at), at=at)
        late += right
        y = g.op("Mul", y, _trimmed(g, valid, lag - late, late, at), at=at)
        if ffn.w_1.in_channels == width:
            held = state.history(x, (right, width), 1, at)
            y = g.op("Add", y, _trimmed(g, held, 0, right, at), at=at)
        x = y
    return x


def _trimmed(g: Graph, x: str, front: int, back: int, at: str) -> str:
    """x (B, T, C) without some steps at either end."""
    if front == 0 and back == 0:
        return x
    return g.slice(x, front, -back if back else END, 1, at)


def _lstm(g: Graph, state: FlatState, x: str, valid: str, lstm: nn.LSTM) -> str:
    """x (B, N, C), valid (B, N, 1) -> (B, N, units)."""
    at, units = "mel_postnet.lstm", lstm.hidden_size
    outside = g.op("Sub", g.scalar(1.0), valid, at=at)
    x = g.op("Transpose", g.op("Concat", x, outside, at=at, axis=2), at=at, perm=[1, 0, 2])
    shut = torch.zeros(4 * units, 1)
    shut[:units] = SHUT
    w_ih, w_hh, b_ih, b_hh = lstm_parameters(lstm, "l0")
    w, r = lstm_gates(torch.cat([w_ih, shut], 1)[None]), lstm_gates(w_hh[None])
    b = torch.cat([lstm_gates(b_ih[None]), lstm_gates(b_hh[None])], 1)
    h0, c0 = (g.op("Unsqueeze", state.read((units,)), g.ints(0), at=at) for _ in range(2))
    hidden, h, c = g.ops(
        "LSTM",
        x,
        g.weight(f"{at}.w", w),
        g.weight(f"{at}.r", r),
        g.weight(f"{at}.b", b),
        "",
        h0,
        c0,
        at=at,
        outputs=3,
        hidden_size=units,
    )
    state.write(g.op("Squeeze", h, g.ints(0), at=at))
    state.write(g.op("Squeeze", c, g.ints(0), at=at))
    return g.op("Transpose", g.op("Squeeze", hidden, g.ints(1), at=at), at=at, perm=[1, 0, 2])
