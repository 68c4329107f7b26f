"""The PNCA decoder as two graphs: the memory's keys and values, and one step."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
import torch

from trt_build.export.attention import PncaAttention
from trt_build.export.graph import Graph
from trt_build.export.layers import feed_forward, prenet
from trt_build.export.sambert import Sambert

MASKED = -1e4
STACK = "mel_decoder.mel_dec"


@dataclass(frozen=True, slots=True)
class DecoderSizes:
    """Sizes of the decoder that the host must know."""

    layers: int
    width: int
    memory: int
    mels: int
    frames_per_step: int


def decoder_sizes(model: Sambert) -> DecoderSizes:
    """Read them off the model."""
    stack = model.mel_decoder.mel_dec
    return DecoderSizes(
        layers=len(stack.pnca),
        width=stack.ln.normalized_shape[0],
        memory=stack.dec_in_proj.in_features - stack.ln.normalized_shape[0],
        mels=model.num_mels,
        frames_per_step=model.outputs_per_step,
    )


def memory_projection(model: Sambert) -> onnx.ModelProto:
    """memory (1, S, d_mem) -> memory_kv (S, layers, 2, width): keys, values; once a sentence."""
    sizes = decoder_sizes(model)
    g = Graph("memory")
    memory = g.input("memory", [1, "S", sizes.memory])
    layers = [block.pnca_attn.w_h_kv for block in model.mel_decoder.mel_dec.pnca]
    weight = torch.cat([layer.weight for layer in layers])
    bias = torch.cat([layer.bias for layer in layers])
    kv = g.linear(memory, f"{STACK}.memory_kv", weight, bias)
    kv = g.op("Reshape", kv, g.ints(-1, sizes.layers, 2, sizes.width))
    g.output(kv, "memory_kv", ["S", sizes.layers, 2, sizes.width])
    return g.model()


def decoder_step(model: Sambert) -> onnx.ModelProto:
    """One PNCA step for B independent streams, `frames_per_step` mel frames each.

    frame (B, mels): the last frame of the step before, zeros at first. memory (B, d_mem): of this
    step. past (B, W - 1, layers, 2, width): keys and values of the steps before, newest last.
    ahead (B, W, layers, 2, width): memory keys and values from this step on. past_keep (B, W) and
    ahead_keep (B, W): 1 where a key exists, else 0; the last of past_keep is this step itself.
    -> frames (B, frames_per_step * mels), kv (B, layers, 2, width): what to append to the past.
    """
    sizes, stack = decoder_sizes(model), model.mel_decoder.mel_dec
    kv_shape = [sizes.layers, 2, sizes.width]
    g = Graph("decoder_step")
    x = g.input("frame", ["B", sizes.mels])
    memory = g.input("memory", ["B", sizes.memory])
    past = g.input("past", ["B", "W_past", *kv_shape])
    ahead = g.input("ahead", ["B", "W", *kv_shape])
    bias = _mask_bias(g, g.input("past_keep", ["B", "W"]), g.input("ahead_keep", ["B", "W"]))
    x = g.op("Concat", memory, prenet(g, x, f"{STACK}.prenet", stack.prenet), axis=1)
    proj = stack.dec_in_proj
    x = g.linear(x, f"{STACK}.scaled_in_proj", proj.weight * stack.scale, proj.bias * stack.scale)
    past_layers = g.cut(past, [1] * sizes.layers, 2, "past")
    ahead_layers = g.cut(ahead, [1] * sizes.layers, 2, "ahead")
    new = []
    for i, block in enumerate(stack.pnca):
        name = f"{STACK}.pnca.{i}"
        attn, windows = f"{name}.pnca_attn", (past_layers[i], ahead_layers[i])
        x, kv = _pnca(g, x, attn, block.pnca_attn, windows, bias)
        new.append(kv)
        x = feed_forward(g, x, f"{name}.pos_ffn", block.pos_ffn)
    x = g.layer_norm(x, f"{STACK}.ln", stack.ln.weight, stack.ln.bias)
    x = g.linear(x, f"{STACK}.dec_out_proj", stack.dec_out_proj.weight, stack.dec_out_proj.bias)
    g.output(x, "frames", ["B", sizes.frames_per_step * sizes.mels])
    g.output(g.op("Concat", *new, axis=1), "kv", ["B", *kv_shape])
    return g.model()


def _mask_bias(g: Graph, past_keep: str, ahead_keep: str) -> str:
    """(B, 2, W, 1): 0 where a key exists, a large negative number where it does not."""
    both = g.op(
        "Concat", *(g.op("Unsqueeze", m, g.ints(1, 3)) for m in (past_keep, ahead_keep)), axis=1
    )
    return g.op("Mul", g.op("Sub", g.scalar(1.0), both), g.scalar(MASKED))


def _pnca(
    g: Graph, x: str, name: str, layer: PncaAttention, windows: tuple[str, str], bias: str
) -> tuple[str, str]:
    """Both attentions of one layer at once: windows, own past and memory ahead, are stacked.

    Scores are sums of products rather than matrix products: with one query and a dozen keys that is
    fewer and cheaper nodes.
    """
    past, ahead = windows
    width, n_head = layer.fc_x.in_features, layer.n_head
    d_head = width // n_head
    normed = g.layer_norm(x, f"{name}.layer_norm", layer.layer_norm.weight, layer.layer_norm.bias)
    weight, b = layer.w_x_qkv.weight.clone(), layer.w_x_qkv.bias.clone()
    weight[:width] *= d_head**-0.5
    b[:width] *= d_head**-0.5
    q, kv = g.cut(g.linear(normed, f"{name}.scaled_qkv", weight, b), [width, 2 * width], 1, name)
    kv = g.op("Reshape", kv, g.ints(0, 1, 2, width), at=name)
    here = g.op("Unsqueeze", kv, g.ints(1), at=name)
    seen = g.op("Concat", past, here, at=name, axis=1)
    keys_values = g.op("Concat", seen, ahead, at=name, axis=2)
    shaped = g.op("Reshape", keys_values, g.ints(0, -1, 2, 2, n_head, d_head), at=name)
    turned = g.op("Transpose", shaped, at=name, perm=[3, 0, 2, 1, 4, 5])
    k, v = g.cut(turned, [1, 1], 0, name)
    k, v = (g.op("Squeeze", t, g.ints(0), at=name) for t in (k, v))
    q = g.op("Reshape", q, g.ints(0, 1, 1, n_head, d_head), at=name)
    scores = g.op("ReduceSum", g.op("Mul", k, q, at=name), g.ints(4), at=name, keepdims=0)
    weights = g.op("Softmax", g.op("Add", scores, bias, at=name), at=name, axis=2)
    weights = g.op("Unsqueeze", weights, g.ints(4), at=name)
    out = g.op("ReduceSum", g.op("Mul", v, weights, at=name), g.ints(2), at=name, keepdims=0)
    out = g.op("Reshape", out, g.ints(0, 2 * width), at=name)
    fc = torch.cat([layer.fc_x.weight, layer.fc_h.weight], 1)
    out = g.linear(out, f"{name}.fc", fc, layer.fc_x.bias + layer.fc_h.bias)
    return g.op("Add", x, out, at=name), kv
