"""The layers of a graph in groups that are quantized together, named as one would speak of them."""

from __future__ import annotations

import re
from collections import defaultdict

import onnx

from trt_build.placement import placement

# Of a node's layer, as trt_build/export names it; the first that fits counts.
NAMES = (
    (re.compile(r"text_encoder\.ling_enc\.fft\.(\d+)\.slf_attn"), r"layer \1 attention"),
    (re.compile(r"text_encoder\.ling_enc\.fft\.(\d+)\.pos_ffn"), r"layer \1 ffn"),
    (re.compile(r"text_encoder\.ling_proj"), r"projection"),
    (re.compile(r"variance_adaptor\.(\w+)_predictor\.fsmn\.\w+\.(\d+)"), r"\1 fsmn \2"),
    (re.compile(r"variance_adaptor\.(\w+)_predictor\.(prenet|lstm\.\d+|fc)"), r"\1 \2"),
    (re.compile(r"mel_decoder\.mel_dec\.pnca\.(\d+)\.pnca_attn"), r"layer \1 attention"),
    (re.compile(r"mel_decoder\.mel_dec\.pnca\.(\d+)\.pos_ffn"), r"layer \1 ffn"),
    (re.compile(r"mel_decoder\.mel_dec\.(prenet|enter)"), r"prenet"),
    (re.compile(r"mel_decoder\.mel_dec\.(\w+)"), r"\1"),
    (re.compile(r"mel_postnet\.fsmn\.\w+\.(\d+)"), r"fsmn \1"),
    (re.compile(r"mel_postnet\.(\w+)"), r"\1"),
    (re.compile(r"upsample_(\d+)"), r"stage \1 upsampling"),
)
BLOCK = re.compile(r"conv_blocks\.(\d+)")


def groups(model: onnx.ModelProto, *, single_rows: bool = False) -> dict[str, tuple[str, ...]]:
    """Names of the nodes that may run in INT8, by group, in the graph's order; see placement."""
    found: dict[str, list[str]] = defaultdict(list)
    per_stage = _blocks_per_stage(model)
    for target in placement(model, single_rows=single_rows).targets:
        found[_group(target.node, per_stage)].append(target.node)
    return {name: tuple(nodes) for name, nodes in found.items()}


def _group(node: str, per_stage: int) -> str:
    layer = node.rpartition("/")[0]
    block = BLOCK.match(layer)
    if block:
        stage, number = divmod(int(block[1]), per_stage)
        return f"stage {stage} block {number}"
    for pattern, name in NAMES:
        match = pattern.match(layer)
        if match:
            return match.expand(name)
    return layer


def _blocks_per_stage(model: onnx.ModelProto) -> int:
    """Residual blocks of a vocoder that work side by side at each rate."""
    layers = {node.name.rpartition("/")[0] for node in model.graph.node}
    blocks = {match[1] for layer in layers if (match := BLOCK.match(layer))}
    stages = {layer for layer in layers if layer.startswith("upsample_")}
    return max(1, len(blocks) // max(1, len(stages)))
