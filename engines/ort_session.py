"""Session on ONNX Runtime's CPU provider: runs anywhere, the reference for other backends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from engines.errors import VoiceError
from engines.quiet_ort import ort
from engines.session import Array

# Of ONNX Runtime 1.32: while it loads a graph in FP16 it ends the process where a cast stands
# beside a transpose. In FP32 it is sound, and worth having.
UNSAFE_IN_FP16 = ("MatmulTransposeFusion",)


class OrtSession:
    """One ONNX graph on the CPU, with a bounded number of threads."""

    def __init__(
        self,
        graph: Path | bytes,
        threads: int,
        settings: Mapping[str, str] = MappingProxyType({}),
        without: Sequence[str] = (),
    ) -> None:
        """Load a file, or the bytes of one.

        settings: session options by ONNX Runtime's names. without: its optimizers not to use;
        UNSAFE_IN_FP16 for a graph that may be in FP16.

        Raises:
            VoiceError: voice_broken, ONNX Runtime does not take it.
        """
        options = ort.SessionOptions()
        name = "the engine" if isinstance(graph, bytes) else str(graph)
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Idle threads must sleep: a resident daemon shares the robot's processor.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        for key, value in settings.items():
            options.add_session_config_entry(key, value)
        try:
            source = graph if isinstance(graph, bytes) else str(graph)
            self._session = ort.InferenceSession(
                source, options, ["CPUExecutionProvider"], disabled_optimizers=list(without)
            )
        except Exception as error:  # ONNX Runtime's errors have no public base class
            raise VoiceError(
                "voice_broken", f"{name} is not a graph ONNX Runtime can run: {error}"
            ) from error
        if isinstance(graph, bytes):
            # It keeps them to start anew with other providers, of which there are none here.
            self._session._model_bytes = b""
        self._name = name
        self._outputs = [value.name for value in self._session.get_outputs()]
        shapes = [v.shape for v in self._session.get_inputs() if v.name == "state"]
        size = shapes[0][-1] if shapes else 0
        if not isinstance(size, int):
            raise VoiceError(
                "voice_broken", f"{name} has a state of no fixed size; export it again"
            )
        self._state_size = size

    @property
    def state_size(self) -> int:
        """Floats of streaming state per stream; 0 for a graph without state."""
        return self._state_size

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name for inputs by name.

        Raises:
            VoiceError: voice_broken, the graph does not take these inputs.
        """
        try:
            values = self._session.run(self._outputs, dict(feeds))
        except Exception as error:  # as above
            raise VoiceError(
                "voice_broken", f"{self._name} does not fit its voice.toml: {error}"
            ) from error
        return dict(zip(self._outputs, values, strict=True))
