"""The PNCA decoder as two graphs: what a sentence's memory gives it once, and one step."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
import torch
from torch import Tensor, nn

from trt_build.export.attention import PncaAttention, Prenet
from trt_build.export.graph import Graph
from trt_build.export.layers import feed_forward, prenet
from trt_build.export.sambert import Sambert

STACK = "mel_decoder.mel_dec"


@dataclass(frozen=True, slots=True)
class DecoderSizes:
    """Sizes of the decoder that the host must know."""

    layers: int
    heads: int
    width: int
    memory: int
    mels: int
    frames_per_step: int

    @property
    def key_value(self) -> tuple[int, int, int]:
        """Shape of one step's keys and values: layers, heads, key beside value."""
        return self.layers, self.heads, 2 * self.width // self.heads


def decoder_sizes(model: Sambert) -> DecoderSizes:
    """Read them off the model."""
    stack = model.mel_decoder.mel_dec
    return DecoderSizes(
        layers=len(stack.pnca),
        heads=stack.pnca[0].pnca_attn.n_head,
        width=stack.ln.normalized_shape[0],
        memory=stack.dec_in_proj.in_features - stack.ln.normalized_shape[0],
        mels=model.num_mels,
        frames_per_step=model.outputs_per_step,
    )


def memory_projection(model: Sambert) -> onnx.ModelProto:
    """memory (S, d_mem) -> memory_kv (S, layers, heads, 2 * D) and entry (S, width).

    memory_kv: keys and values that the decoder looks ahead to. entry: the part of each step's input
    that comes from the memory. S is any run of steps.
    """
    sizes, stack = decoder_sizes(model), model.mel_decoder.mel_dec
    g = Graph("memory")
    memory = g.input("memory", ["S", sizes.memory])
    layers = [block.pnca_attn.w_h_kv for block in stack.pnca]
    weight = torch.cat([_by_head(layer.weight, 2, sizes.heads) for layer in layers])
    bias = torch.cat([_by_head(layer.bias, 2, sizes.heads) for layer in layers])
    kv = g.linear(memory, f"{STACK}.memory_kv", weight, bias)
    kv = g.op("Reshape", kv, g.ints(-1, *sizes.key_value))
    g.output(kv, "memory_kv", ["S", *sizes.key_value])
    proj = stack.dec_in_proj
    bias = proj.bias + proj.weight[:, sizes.memory :] @ _last(stack.prenet).bias
    weight = proj.weight[:, : sizes.memory]
    entry = g.linear(memory, f"{STACK}.entry", weight * stack.scale, bias * stack.scale)
    g.output(entry, "entry", ["S", sizes.width])
    return g.model()


def decoder_step(model: Sambert) -> onnx.ModelProto:
    """One PNCA step for B independent slots, `frames_per_step` mel frames each.

    frame (B, mels): the last frame of the step before, zeros at first. entry (B, width): of this
    step. window_0, ... (B, heads, K - 1, 2 * D), one per layer: keys and values of steps before and
    of the memory ahead, in any order. mask (B, 2, K): added to the scores, 0 where a key is seen
    and a large negative number where not; row 0 for the own past and, last, this step itself,
    row 1 for the memory.
    -> frames (B, frames_per_step * mels), kv (B, layers, heads, 2 * D): this step's own.
    """
    sizes, stack = decoder_sizes(model), model.mel_decoder.mel_dec
    layers, heads, pair = sizes.key_value
    g = Graph("decoder_step")
    x = _entered(g, g.input("frame", ["B", sizes.mels]), stack.prenet, stack.dec_in_proj.weight)
    x = g.op("Add", x, g.input("entry", ["B", sizes.width]), at=f"{STACK}.enter")
    mask = g.op("Unsqueeze", g.input("mask", ["B", 2, "K"]), g.ints(1), at="mask")
    own = []
    for i, block in enumerate(stack.pnca):
        name = f"{STACK}.pnca.{i}"
        seen = g.input(f"window_{i}", ["B", heads, "K_before", pair])
        x, kv = _pnca(g, x, f"{name}.pnca_attn", block.pnca_attn, seen, mask)
        own.append(kv)
        x = feed_forward(g, x, f"{name}.pos_ffn", block.pos_ffn)
    x = g.layer_norm(x, f"{STACK}.ln", stack.ln.weight, stack.ln.bias)
    x = g.linear(x, f"{STACK}.dec_out_proj", stack.dec_out_proj.weight, stack.dec_out_proj.bias)
    g.output(x, "frames", ["B", sizes.frames_per_step * sizes.mels])
    kv = g.op(
        "Reshape", g.op("Concat", *own, at="kv", axis=1), g.ints(0, layers, heads, pair), at="kv"
    )
    g.output(kv, "kv", ["B", layers, heads, pair])
    return g.model()


def _last(layer: Prenet) -> nn.Linear:
    """The linear projection that closes the decoder's prenet."""
    last = layer.fcs[-1]
    assert isinstance(last, nn.Linear)
    return last


def _entered(g: Graph, frame: str, layer: Prenet, in_proj: Tensor) -> str:
    """The prenet over a frame (B, mels), its closing projection merged into the decoder's own.

    The biases of both are part of `entry`.
    """
    scale = _last(layer).out_features ** 0.5
    x = prenet(g, frame, f"{STACK}.prenet", layer.fcs[:-1])
    memory = in_proj.shape[1] - _last(layer).out_features
    return g.linear(x, f"{STACK}.enter", in_proj[:, memory:] @ _last(layer).weight * scale)


def _by_head(stacked: Tensor, parts: int, heads: int) -> Tensor:
    """Rows (parts, heads, D) of a projection as (heads, parts, D)."""
    shape = (parts, heads, -1, *stacked.shape[1:])
    return stacked.reshape(shape).transpose(0, 1).reshape(stacked.shape)


def _pnca(
    g: Graph, x: str, name: str, layer: PncaAttention, seen: str, mask: str
) -> tuple[str, str]:
    """Both attentions of one layer as one: a row of weights each over the same keys.

    x (B, width), seen (B, heads, K - 1, 2 * D) -> x and this step's own (B, heads, 1, 2 * D).
    """
    width, heads = layer.fc_x.in_features, layer.n_head
    d = width // heads
    normed = g.layer_norm(x, f"{name}.layer_norm", layer.layer_norm.weight, layer.layer_norm.bias)
    weight, b = layer.w_x_qkv.weight.clone(), layer.w_x_qkv.bias.clone()
    weight[:width] *= d**-0.5
    b[:width] *= d**-0.5
    weight, b = _by_head(weight, 3, heads), _by_head(b, 3, heads)
    qkv = g.linear(normed, f"{name}.scaled_qkv", weight, b)
    qkv = g.op("Reshape", qkv, g.ints(0, heads, 1, 3 * d), at=name)
    q, kv = g.cut(qkv, [d, 2 * d], 3, name)
    keys, values = g.cut(g.op("Concat", seen, kv, at=name, axis=2), [d, d], 3, name)
    scores = g.op("MatMul", q, g.op("Transpose", keys, at=name, perm=[0, 1, 3, 2]), at=name)
    weights = g.op("Softmax", g.op("Add", scores, mask, at=name), at=name, axis=-1)
    out = g.op("Reshape", g.op("MatMul", weights, values, at=name), g.ints(0, 2 * width), at=name)
    fc = torch.cat([layer.fc_x.weight, layer.fc_h.weight], 1)
    fc = _by_head(fc.T, 2, heads).T
    out = g.linear(out, f"{name}.fc", fc, layer.fc_x.bias + layer.fc_h.bias)
    return g.op("Add", x, out, at=name), kv
