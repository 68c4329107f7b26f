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
from trt_build.export.layers import conv1d, embedding, feed_forward, lstm_gates
from trt_build.export.sambert import Sambert


def encoder(model: Sambert) -> onnx.ModelProto:
    """ids (1, T, 6), pitch_scale, pitch_shift, energy_shift (1,) -> text (1, T, d_text), cond (1, T, d).

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
        added = conv1d(g, g.op("Unsqueeze", value, g.ints(1)), name, getattr(adaptor, name))
        coloured = g.op("Add", coloured, g.op("Transpose", added, perm=[0, 2, 1]))
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
    positions = g.weight("text_encoder.positions", stack.position_enc.position_enc[0])
    length = g.op("Shape", columns[0], start=1, end=2)
    here = g.op("Slice", positions, g.ints(0), length, g.ints(0))
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
    weights = [
        lstm_gates(torch.stack([getattr(lstm, f"{kind}_l0{way}") for way in ("", "_reverse")]))
        for kind in ("weight_ih", "weight_hh")
    ]
    biases = [
        torch.cat(
            [
                lstm_gates(getattr(lstm, f"{kind}_l0{way}")[None])[0]
                for kind in ("bias_ih", "bias_hh")
            ]
        )
        for way in ("", "_reverse")
    ]
    at = f"variance_adaptor.{name}.blstm"
    hidden = g.op(
        "LSTM",
        x,
        g.weight(f"{at}.w", weights[0]),
        g.weight(f"{at}.r", weights[1]),
        g.weight(f"{at}.b", torch.stack(biases)),
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
    width = fsmn.memory_block_lst[0].conv_dw.in_channels
    d_in = fsmn.ffn_lst[0].w_1.in_channels
    for i, (ffn, block) in enumerate(zip(fsmn.ffn_lst, fsmn.memory_block_lst, strict=True)):
        at = f"{name}.{i}"
        y = g.linear(x, f"{name}.ffn_lst.{i}.w_1", ffn.w_1.weight[:, :, 0], ffn.w_1.bias)
        y = g.linear(g.op("Relu", y, at=at), f"{name}.ffn_lst.{i}.w_2", ffn.w_2.weight[:, :, 0])
        turned = g.op("Transpose", y, at=at, perm=[0, 2, 1])
        filtered = g.op(
            "Conv",
            turned,
            g.weight(f"{name}.memory_block_lst.{i}.conv_dw.weight", block.conv_dw.weight),
            at=at,
            group=width,
            pads=[block.left, block.right],
        )
        y = g.op("Add", g.op("Transpose", filtered, at=at, perm=[0, 2, 1]), y, at=at)
        x = g.op("Add", y, x, at=at) if (i or d_in == width) else y
    return x


def duration_step(model: Sambert) -> onnx.ModelProto:
    """last (1, 1), cond (1, d), state (1, 4 * H) -> log_duration (1, 1), next_state.

    Log durations are log(frames + 1), as the predictor was trained.
    """
    predictor = model.variance_adaptor.duration_predictor
    units, name = predictor.lstm.hidden_size, "variance_adaptor.duration_predictor"
    g = Graph("duration_step")
    state = FlatState(g)
    cond = g.input("cond", ["B", predictor.lstm.input_size - predictor.prenet.fcs[-3].out_features])
    x = g.input("last", ["B", 1])
    for i, layer in enumerate(predictor.prenet.fcs):
        if isinstance(layer, nn.Linear):
            x = g.linear(x, f"{name}.prenet.fcs.{i}", layer.weight, layer.bias)
            x = g.op("Relu", x, at=name)
    x = g.op("Concat", x, cond, axis=1)
    for layer_no in range(2):
        at = f"{name}.lstm.{layer_no}"
        h, c = state.read((units,)), state.read((units,))
        w, r, bw, br = (
            getattr(predictor.lstm, f"{kind}_l{layer_no}")
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        gates = g.linear(g.op("Concat", x, h, at=at, axis=1), at, torch.cat([w, r], 1), bw + br)
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
