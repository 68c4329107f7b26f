"""A tiny voice some of whose graphs do needless work, so that there is something faster."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from engines.pack import VoicePack
from trt_build.graph_file import read_graph
from trt_build.rungs import Candidate

NEEDLESS = 300  # nodes


def slowed(model: onnx.ModelProto, nodes: int = NEEDLESS) -> onnx.ModelProto:
    """The same function, with a long chain of nodes whose result counts for nothing."""
    out: onnx.ModelProto = onnx.ModelProto.FromString(model.SerializeToString())
    graph = out.graph
    target = graph.output[0].name
    for node in graph.node:
        for i, name in enumerate(node.output):
            if name == target:
                node.output[i] = f"{target}/before"
        for i, name in enumerate(node.input):
            if name == target:
                node.input[i] = f"{target}/before"
    last = f"{target}/before"
    for i in range(nodes):
        graph.node.append(helper.make_node("Tanh", [last], [f"slow/{i}"], name=f"slow/{i}"))
        last = f"slow/{i}"
    graph.initializer.append(helper.make_tensor("slow/nothing", TensorProto.FLOAT, [], [0.0]))
    graph.node.append(helper.make_node("Mul", [last, "slow/nothing"], ["slow/0x"], name="slow/Mul"))
    ends = [f"{target}/before", "slow/0x"]
    graph.node.append(helper.make_node("Add", ends, [target], name="slow/Add"))
    return out


def write(folder: Path, slow: Collection[str]) -> VoicePack:
    """A voice pack of random weights with these graphs slowed; the fast ones lie beside it."""
    from benchmarks import random_voice  # and with it torch, which reading a pack does without

    random_voice.write(random_voice.tiny(nsf=False), folder, "tiny")
    for name in slow:
        path = folder / f"{name}.onnx"
        old = path.read_bytes()
        (folder / f"{name}.fast").write_bytes(old)
        data = slowed(read_graph(path)).SerializeToString()
        path.write_bytes(data)
        toml = folder / "voice.toml"
        text = toml.read_text("utf-8")
        before, after = (hashlib.sha256(it).hexdigest() for it in (old, data))
        assert before in text
        toml.write_text(text.replace(before, after), "utf-8")
    return VoicePack(folder)


@dataclass(slots=True)
class Fast:
    """The recipe that takes the needless work out, where there is some. asked: graphs made."""

    pack: VoicePack
    version: str = "1"
    asked: list[str] = field(default_factory=list)

    def made_of(self, graph: str) -> str:
        return self.version

    def __call__(self, graph: str, model: onnx.ModelProto) -> Sequence[Candidate]:
        self.asked.append(graph)
        path = self.pack.folder / f"{graph}.fast"
        return (Candidate(read_graph(path)),) if path.exists() else ()
