"""The graphs of SAMBERT that run once a sentence: encoder, and duration_step once a symbol."""

from __future__ import annotations

import onnx
import torch
from onnx import TensorProto
from torch import nn

from trt_build.export.adaptor import ProsodyPredictor
from trt_build.export.attention import SelfAttention
from trt_build.export.fsmn import Fsmn
from trt_build.export.graph import FlatState, Graph
from trt_build.export.layers import (
    conv,
    embedding,
    feed_forward,
    filter_sides,
    fsmn_ffn,
    fsmn_filter,
    lstm_gates,
    lstm_parameters,
    prenet,
    same_padding,
)
from trt_build.export.sambert import Sambert


def encoder(model: Sambert) -> onnx.ModelProto:
    """ids (1, T, 6) and prosody controls -> text (1, T, d_text), cond (1, T, d_cond).

    Columns of ids: phone, tone, syllable flag, word segment, emotion, speaker. The controls
    pitch_scale, pitch_shift and energy_shift (1,) change what the predictors say.
    text is coloured by pitch and energy; cond is what the duration predictor sees, and its last
    columns are the speaker's and the emotion's hidden states. pitch and energy (1, T) come out too.
    """
    g = Graph("encoder")
    ids = g.input("ids", [1, "T", 6], TensorProto.INT64)
    columns = [g.op("Squeeze", c, g.ints(2)) for c in g.cut(ids, [1] * 6, 2)]
    text = _text_encoder(g, model, columns[:4])
    emotion = embedding(g, "emo_tokenizer", model.emo_tokenizer, columns[4])
    speaker = embedding(g, "spk_tokenizer", model.spk_tokenizer, columns[5])
    joined = g.op("Concat", text, speaker, emotion, axis=2)
    adaptor = model.variance_adaptor
    scale, shift = g.input("pitch_scale", [1]), g.input("pitch_shift", [1])
    pitch = _prosody(g, joined, "pitch_predictor", adaptor.pitch_predictor)
    pitch = g.op("Add", g.op("Mul", pitch, scale), shift)
    energy = _prosody(g, joined, "energy_predictor", adaptor.energy_predictor)
    energy = g.op("Add", energy, g.input("energy_shift", [1]))
    coloured = text
    for name, value in (("pitch_emb", pitch), ("energy_emb", energy)):
        layer: nn.Conv1d = getattr(adaptor, name)
        at = f"variance_adaptor.{name}"
        line = g.op("Unsqueeze", value, g.ints(2), at=at)
        coloured = g.op("Add", coloured, conv(g, line, at, layer, same_padding(layer)), at=at)
    cond = g.op("Concat", coloured, speaker, emotion, axis=2)
    d_text = model.params["encoder_projection_units"]
    d_cond = d_text + model.params["speaker_units"] + model.params["emotion_units"]
    g.output(coloured, "text", [1, "T", d_text])
    g.output(cond, "cond", [1, "T", d_cond])
    g.output(pitch, "pitch", [1, "T"])
    g.output(energy, "energy", [1, "T"])
    return g.model()


def _text_encoder(g: Graph, model: Sambert, columns: list[str]) -> str:
    enc = model.text_encoder
    tables = {
        "sy_emb": enc.sy_emb,
        "tone_emb": enc.tone_emb,
        "syllable_flag_emb": enc.syllable_flag_emb,
        "ws_emb": enc.ws_emb,
    }
    x = ""
    for (name, table), column in zip(tables.items(), columns, strict=True):
        row = embedding(g, f"text_encoder.{name}", table, column)
        x = g.op("Add", x, row) if x else row
    stack = enc.ling_enc
    name = "text_encoder.ling_enc.position_enc.position_enc"
    positions = g.weight(name, stack.position_enc.position_enc)
    length = g.op("Shape", columns[0], start=1, end=2)
    here = g.op("Slice", positions, g.ints(0), length, g.ints(1))
    x = g.op("Add", g.op("Mul", x, g.scalar(stack.scale)), here)
    for i, block in enumerate(stack.fft):
        name = f"text_encoder.ling_enc.fft.{i}"
        x = _self_attention(g, x, f"{name}.slf_attn", block.slf_attn)
        x = feed_forward(g, x, f"{name}.pos_ffn", block.pos_ffn)
    x = g.layer_norm(x, "text_encoder.ling_enc.ln", stack.ln.weight, stack.ln.bias)
    return g.linear(x, "text_encoder.ling_proj", enc.ling_proj.weight)


def _self_attention(g: Graph, x: str, name: str, layer: SelfAttention) -> str:
    d_model, n_head = layer.fc.in_features, layer.n_head
    d_head = d_model // n_head
    normed = g.layer_norm(x, f"{name}.layer_norm", layer.layer_norm.weight, layer.layer_norm.bias)
    qkv = g.linear(normed, f"{name}.w_qkv", layer.w_qkv.weight, layer.w_qkv.bias)
    q, k, v = (
        g.op("Reshape", part, g.ints(0, 0, n_head, d_head), at=name)
        for part in g.cut(qkv, [d_model] * 3, 2, name)
    )
    q = g.op("Mul", g.op("Transpose", q, at=name, perm=[0, 2, 1, 3]), g.scalar(d_head**-0.5))
    k = g.op("Transpose", k, at=name, perm=[0, 2, 3, 1])
    v = g.op("Transpose", v, at=name, perm=[0, 2, 1, 3])
    weights = g.op("Softmax", g.op("MatMul", q, k, at=name), at=name, axis=-1)
    out = g.op("Transpose", g.op("MatMul", weights, v, at=name), at=name, perm=[0, 2, 1, 3])
    out = g.op("Reshape", out, g.ints(0, 0, d_model), at=name)
    out = g.linear(out, f"{name}.fc", layer.fc.weight, layer.fc.bias)
    same = layer.layer_norm.normalized_shape[0] == d_model
    return g.op("Add", out, x, at=name) if same else out


def _prosody(g: Graph, x: str, name: str, layer: ProsodyPredictor) -> str:
    x = _fsmn(g, x, f"variance_adaptor.{name}.fsmn", layer.fsmn)
    x = g.op("Transpose", x, at=name, perm=[1, 0, 2])
    lstm: nn.LSTM = layer.blstm
    ways = [lstm_parameters(lstm, ending) for ending in ("l0", "l0_reverse")]
    w, r, b_ih, b_hh = (lstm_gates(torch.stack(parts)) for parts in zip(*ways, strict=True))
    at = f"variance_adaptor.{name}.blstm"
    hidden = g.op(
        "LSTM",
        x,
        g.weight(f"{at}.w", w),
        g.weight(f"{at}.r", r),
        g.weight(f"{at}.b", torch.cat([b_ih, b_hh], 1)),
        at=at,
        hidden_size=lstm.hidden_size,
        direction="bidirectional",
    )
    hidden = g.op("Transpose", hidden, at=at, perm=[2, 0, 1, 3])
    hidden = g.op("Reshape", hidden, g.ints(0, 0, 2 * lstm.hidden_size), at=at)
    fc: nn.Linear = layer.fc
    out = g.linear(hidden, f"variance_adaptor.{name}.fc", fc.weight, fc.bias)
    return g.op("Squeeze", out, g.ints(2), at=name)


def _fsmn(g: Graph, x: str, name: str, fsmn: Fsmn) -> str:
    """A whole-sequence FSMN over (1, T, C), without padding masks."""
    for i, (ffn, block) in enumerate(zip(fsmn.ffn_lst, fsmn.memory_block_lst, strict=True)):
        at = f"{name}.memory_block_lst.{i}"
        y = fsmn_ffn(g, x, f"{name}.ffn_lst.{i}", ffn)
        y = g.op("Add", fsmn_filter(g, y, at, block, filter_sides(block)), y, at=at)
        same = ffn.w_1.in_channels == block.conv_dw.in_channels
        x = g.op("Add", y, x, at=at) if same else y
    return x


def duration_step(model: Sambert) -> onnx.ModelProto:
    """last (B, 1), cond (B, d_cond), state (B, 4 * H) -> log_duration (B, 1), next_state.

    Log durations are log(frames + 1), as the predictor was trained.
    """
    predictor = model.variance_adaptor.duration_predictor
    units, name = predictor.lstm.hidden_size, "variance_adaptor.duration_predictor"
    g = Graph("duration_step")
    state = FlatState(g)
    cond = g.input("cond", ["B", predictor.d_cond])
    x = prenet(g, g.input("last", ["B", 1]), f"{name}.prenet", predictor.prenet.fcs)
    x = g.op("Concat", x, cond, axis=1)
    for layer_no in range(2):
        at = f"{name}.lstm.{layer_no}"
        h, c = state.read((units,)), state.read((units,))
        w, r, b_w, b_r = lstm_parameters(predictor.lstm, f"l{layer_no}")
        gates = g.linear(g.op("Concat", x, h, at=at, axis=1), at, torch.cat([w, r], 1), b_w + b_r)
        i_, f_, c_, o_ = g.cut(gates, [units] * 4, 1, at)
        keep = g.op("Mul", g.op("Sigmoid", f_, at=at), c, at=at)
        new = g.op("Mul", g.op("Sigmoid", i_, at=at), g.op("Tanh", c_, at=at), at=at)
        cell = g.op("Add", keep, new, at=at)
        x = g.op("Mul", g.op("Sigmoid", o_, at=at), g.op("Tanh", cell, at=at), at=at)
        state.write(x)
        state.write(cell)
    out = g.op("Relu", g.linear(x, f"{name}.fc", predictor.fc.weight, predictor.fc.bias), at=name)
    g.output(out, "log_duration", ["B", 1])
    state.close()
    return g.model()
