"""A graph in memory run by ONNX Runtime exactly as it is written: what a candidate is judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from engines.ort_session import UNSAFE_IN_FP16
from engines.quiet_ort import ort
from engines.session import Array
from trt_build.errors import BuildError


class Oracle:
    """A Session of a graph that is not in a file.

    Quantize and dequantize nodes run as they stand. By default ONNX Runtime would fold them into
    kernels whose 16-bit sums saturate on processors without VNNI, and a sound graph would be judged
    by their error.
    """

    def __init__(
        self, model: onnx.ModelProto, threads: int = 1, watched: Sequence[str] = ()
    ) -> None:
        """Load the graph; `watched` are values inside it that `run` gives besides the outputs.

        Raises:
            BuildError: graph_unreadable.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        data = _showing(model, watched).SerializeToString()
        try:
            self._session = ort.InferenceSession(
                data, options, ["CPUExecutionProvider"], disabled_optimizers=list(UNSAFE_IN_FP16)
            )
        except Exception as error:  # ONNX Runtime's errors have no public base class
            raise BuildError(
                "graph_unreadable",
                f"ONNX Runtime does not take graph {model.graph.name}; export the voice again: "
                f"{error}",
            ) from error
        self._outputs = [value.name for value in self._session.get_outputs()]
        states = [v.shape for v in self._session.get_inputs() if v.name == "state"]
        self._state_size = int(states[0][-1]) if states else 0

    @property
    def state_size(self) -> int:
        """Floats of streaming state per stream; 0 for a graph without state."""
        return self._state_size

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs, and what is watched, by name."""
        values = self._session.run(self._outputs, dict(feeds))
        return dict(zip(self._outputs, values, strict=True))


def _showing(model: onnx.ModelProto, watched: Sequence[str]) -> onnx.ModelProto:
    """The same graph with more outputs."""
    if not watched:
        return model
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    for name in watched:
        value = shown.graph.output.add()
        value.name = name
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    return shown
