"""The streaming postnet graph."""

from __future__ import annotations

import onnx
import torch
from torch import nn

from trt_build.export.graph import FlatState, Graph
from trt_build.export.layers import lstm_gates
from trt_build.export.sambert import Sambert

SHUT = -1e4


def postnet(model: Sambert) -> onnx.ModelProto:
    """decoder_mel (B, N, mels), valid (B, N + lag), state -> mel (B, N, mels) `lag` frames late, next_state.

    The FSMN looks ahead `right` frames per layer, so frame t comes out once t + lag went in, lag being
    the sum over layers. valid covers the chunk and the `lag` frames before it: 1 inside the
    utterance, 0 before its start and after its end, where every layer must see zeros. The LSTM's
    input gate is held shut before the start by an extra input column.
    """
    net, mels = model.mel_postnet, model.num_mels
    lag = postnet_lag(model)
    g = Graph("postnet")
    state = FlatState(g)
    frames = g.input("decoder_mel", ["B", "N", mels])
    valid = g.op("Unsqueeze", g.input("valid", ["B", "N_lag"]), g.ints(2))
    x, late = frames, 0
    for i, (ffn, block) in enumerate(zip(net.fsmn.ffn_lst, net.fsmn.memory_block_lst, strict=True)):
        name, at = "mel_postnet.fsmn", f"mel_postnet.fsmn.{i}"
        width = block.conv_dw.in_channels
        y = g.linear(x, f"{name}.ffn_lst.{i}.w_1", ffn.w_1.weight[:, :, 0], ffn.w_1.bias)
        y = g.linear(g.op("Relu", y, at=at), f"{name}.ffn_lst.{i}.w_2", ffn.w_2.weight[:, :, 0])
        y = g.op("Mul", y, _window(g, valid, lag - late, late, at), at=at)
        history = block.left + block.right
        joined = g.op("Concat", state.read((history, width)), y, at=at, axis=1)
        state.write(g.slice(joined, -history, 2**31, 1, at))
        filtered = g.op(
            "Conv",
            g.op("Transpose", joined, at=at, perm=[0, 2, 1]),
            g.weight(f"{name}.memory_block_lst.{i}.conv_dw.weight", block.conv_dw.weight),
            at=at,
            group=width,
        )
        late += block.right
        centre = _window(g, joined, block.left, block.right, at)
        y = g.op("Add", g.op("Transpose", filtered, at=at, perm=[0, 2, 1]), centre, at=at)
        y = g.op("Mul", y, _window(g, valid, lag - late, late, at), at=at)
        if ffn.w_1.in_channels == width:
            held = g.op("Concat", state.read((block.right, width)), x, at=at, axis=1)
            state.write(g.slice(held, -block.right, 2**31, 1, at))
            y = g.op("Add", y, _window(g, held, 0, block.right, at), at=at)
        x = y
    residual = _postnet_lstm(g, state, x, _window(g, valid, 0, lag, "valid"), net.lstm)
    residual = g.linear(residual, "mel_postnet.fc", net.fc.weight, net.fc.bias)
    held = g.op("Concat", state.read((lag, mels)), frames, axis=1)
    state.write(g.slice(held, -lag, 2**31, 1))
    g.output(g.op("Add", residual, _window(g, held, 0, lag, "held")), "mel", ["B", "N_out", mels])
    state.close()
    return g.model()


def postnet_lag(model: Sambert) -> int:
    """Frames between the postnet's input and its output."""
    return sum(block.right for block in model.mel_postnet.fsmn.memory_block_lst)


def _window(g: Graph, x: str, drop_front: int, drop_back: int, at: str) -> str:
    """x (B, T, C) without some steps at either end."""
    return g.slice(x, drop_front, -drop_back if drop_back else 2**31, 1, at)


def _postnet_lstm(g: Graph, state: FlatState, x: str, valid: str, lstm: nn.LSTM) -> str:
    at, units = "mel_postnet.lstm", lstm.hidden_size
    outside = g.op("Sub", g.scalar(1.0), valid, at=at)
    x = g.op("Transpose", g.op("Concat", x, outside, at=at, axis=2), at=at, perm=[1, 0, 2])
    shut = torch.zeros(4 * units, 1)
    shut[:units] = SHUT
    w = lstm_gates(torch.cat([lstm.weight_ih_l0, shut], 1)[None])
    r = lstm_gates(lstm.weight_hh_l0[None])
    b = torch.cat([lstm_gates(lstm.bias_ih_l0[None]), lstm_gates(lstm.bias_hh_l0[None])], 1)
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
