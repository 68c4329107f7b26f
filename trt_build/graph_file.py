"""Graphs as they lie in a voice pack."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from engines.pack import VoicePack
from trt_build.errors import BuildError


def read_graph(path: Path) -> onnx.ModelProto:
    """One graph.

    Raises:
        BuildError: graph_unreadable.
    """
    try:
        return onnx.load(str(path))
    except (DecodeError, OSError) as error:
        raise BuildError(
            "graph_unreadable", f"{path} is no ONNX graph; export the voice again: {error}"
        ) from error


def read_graphs(pack: VoicePack) -> dict[str, onnx.ModelProto]:
    """All graphs of a pack, by name.

    Raises:
        BuildError: graph_unreadable.
    """
    return {name: read_graph(path) for name, path in pack.graphs.items()}
