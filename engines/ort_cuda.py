"""Session on ONNX Runtime's CUDA provider: the GPU without TensorRT, from the same files."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engines.device import CUDA, INSTALL
from engines.errors import GpuError, VoiceError
from engines.ort_session import UNSAFE_IN_FP16
from engines.quiet_ort import ort
from engines.session import Array

CPU = "CPUExecutionProvider"
LIMIT = 1024 * 1024 * 1024  # bytes a session's arena may grow to
BOUND_SHAPES = 8  # of inputs for which memory on the GPU is kept
Key = tuple[Any, ...]


def providers() -> tuple[str, ...]:
    """What the installed ONNX Runtime can run on."""
    return tuple(ort.get_available_providers())


def cuda_options(index: int, limit: int) -> dict[str, str]:
    """Options of the CUDA provider: an arena that takes no more than it is asked for, up to
    `limit` bytes, and convolutions chosen without trying each at every new shape."""
    return {
        "device_id": str(index),
        "gpu_mem_limit": str(limit),
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "HEURISTIC",
        "do_copy_in_default_stream": "1",
    }


class OrtCudaSession:
    """One ONNX graph on the GPU. Calls may overlap; they run in turn."""

    def __init__(
        self, graph: Path | bytes, device: str = "cuda", index: int = 0, limit: int = LIMIT
    ) -> None:
        """Load a file, or the bytes of one.

        device: "cuda", or "cpu" for the same way of running without a GPU. limit: see LIMIT.

        Raises:
            GpuError: gpu_not_installed, this ONNX Runtime has no CUDA or cannot load it.
            VoiceError: voice_broken.
        """
        wanted = CUDA if device == "cuda" else CPU
        self._name = "the engine" if isinstance(graph, bytes) else str(graph)
        self._device, self._index = device, index
        self._session: Any = _open(graph, self._name, wanted, cuda_options(index, limit))
        self._weights = len(graph) if isinstance(graph, bytes) else graph.stat().st_size
        self._device_bytes = self._weights
        self._inputs = {v.name: v for v in self._session.get_inputs()}
        self._outputs = [v.name for v in self._session.get_outputs()]
        self._lock = threading.Lock()
        self._bound: OrderedDict[Key, _Bound] = OrderedDict()
        size = self._inputs["state"].shape[-1] if "state" in self._inputs else 0
        if not isinstance(size, int):
            raise VoiceError(
                "voice_broken", f"{self._name} has a state of no fixed size; export it again"
            )
        self._state_size = size

    @property
    def state_size(self) -> int:
        """Floats of streaming state per stream; 0 for a graph without state."""
        return self._state_size

    @property
    def device_bytes(self) -> int:
        """What it is known to hold there: its weights and inputs. ONNX Runtime does not tell how
        much its arena has beside them for values inside the graph."""
        return self._device_bytes

    def close(self) -> None:
        """Give back what it holds on the GPU; nothing the second time."""
        with self._lock:
            self._bound.clear()
            self._session, self._device_bytes = None, 0

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name for inputs by name.

        Raises:
            VoiceError: voice_broken, the graph does not take these inputs.
            GpuError: gpu_memory, gpu_failed, gpu_closed.
        """
        if feeds.keys() != self._inputs.keys():
            raise VoiceError(
                "voice_broken",
                f"{self._name} does not fit its voice.toml: it takes {', '.join(self._inputs)} and "
                f"is given {', '.join(feeds)}; export the voice again",
            )
        try:
            with self._lock:
                if self._session is None:
                    raise GpuError("gpu_closed", f"{self._name} was closed; load the voice again")
                return self._binding(feeds).run(feeds)
        except GpuError:
            raise
        except Exception as error:  # ONNX Runtime's errors have no public base class
            raise self._told(error) from error

    def _binding(self, feeds: Mapping[str, Array]) -> _Bound:
        """Memory for inputs of these shapes; what was not used for longest may go."""
        key = tuple((feeds[name].shape, feeds[name].dtype) for name in self._inputs)
        bound = self._bound.get(key)
        if bound is None:
            while len(self._bound) >= BOUND_SHAPES:
                self._bound.popitem(last=False)
            bound = _Bound(self._session, feeds, self._outputs, self._device, self._index)
            self._bound[key] = bound
            self._device_bytes = self._weights + sum(one.bytes for one in self._bound.values())
        self._bound.move_to_end(key)
        return bound

    def _told(self, error: Exception) -> GpuError | VoiceError:
        said = str(error)
        if "allocate memory" in said or "out of memory" in said.lower():
            return GpuError(
                "gpu_memory",
                f"the GPU's memory is full, {self._name} finds no place: {said}; close other "
                "programs that use it, or run this graph on the processor",
            )
        if "CUDA" in said or "CUDNN" in said or "CUBLAS" in said:
            return GpuError("gpu_failed", f"{self._name} failed on the GPU: {said}")
        return VoiceError("voice_broken", f"{self._name} does not fit its voice.toml: {said}")


class _Bound:
    """Inputs of fixed shapes in memory of the device, outputs left there until they are read."""

    def __init__(
        self,
        session: Any,
        feeds: Mapping[str, Array],
        outputs: Sequence[str],
        device: str,
        index: int,
    ) -> None:
        self._session, self._outputs = session, outputs
        self._binding = session.io_binding()
        self.bytes = sum(value.nbytes for value in feeds.values())
        self._values = {
            name: ort.OrtValue.ortvalue_from_shape_and_type(value.shape, value.dtype, device, index)
            for name, value in feeds.items()
        }
        for name, value in self._values.items():
            self._binding.bind_ortvalue_input(name, value)
        for name in outputs:
            self._binding.bind_output(name, device, index)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        for name, value in feeds.items():
            self._values[name].update_inplace(np.ascontiguousarray(value))
        self._session.run_with_iobinding(self._binding)
        return dict(zip(self._outputs, self._binding.copy_outputs_to_cpu(), strict=True))


def _open(graph: Path | bytes, name: str, wanted: str, options: dict[str, str]) -> Any:
    if wanted not in providers():
        raise GpuError(
            "gpu_not_installed",
            f"ONNX Runtime {ort.__version__} here has no {wanted}, only "
            f"{', '.join(providers())}; {INSTALL['onnxruntime-gpu']}",
        )
    choice = [(CUDA, options), CPU] if wanted == CUDA else [CPU]
    settings = ort.SessionOptions()
    settings.log_severity_level = 3
    settings.intra_op_num_threads = 1
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        source = graph if isinstance(graph, bytes) else str(graph)
        session = ort.InferenceSession(
            source, settings, choice, disabled_optimizers=list(UNSAFE_IN_FP16)
        )
    except Exception as error:  # as above
        raise VoiceError(
            "voice_broken", f"{name} is not a graph ONNX Runtime can run: {error}"
        ) from error
    if session.get_providers()[0] != wanted:  # it goes on without a word when CUDA cannot be loaded
        raise GpuError(
            "gpu_not_installed",
            f"ONNX Runtime {ort.__version__} cannot load its {wanted}: the CUDA or cuDNN it was "
            "made for is not there; `sambertctl doctor --gpu` lists what is",
        )
    session.disable_fallback()
    if isinstance(graph, bytes):
        session._model_bytes = b""  # kept for that fallback
    return session
