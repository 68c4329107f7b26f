"""The parts of TensorRT that the engines use, over the card of fake_gpu.py."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np

from tests.engines.fake_gpu import MAGIC, Card, open_plan

NUMPY = {
    "tensor(float)": ("FLOAT", np.float32),
    "tensor(float16)": ("HALF", np.float16),
    "tensor(int64)": ("INT64", np.int64),
}


def tensorrt(card: Card) -> dict[str, Any]:
    """The names of the module `tensorrt`."""
    names: dict[str, Any] = {"__version__": "10.3.0"}

    def offer(thing: Any) -> Any:
        names[thing.__name__] = thing
        return thing

    DataType = Enum("DataType", "FLOAT HALF INT64 BF16")
    TensorIOMode = Enum("TensorIOMode", "NONE INPUT OUTPUT")
    TensorLocation = Enum("TensorLocation", "DEVICE HOST")
    ErrorCodeTRT = Enum("ErrorCodeTRT", "INTERNAL_ERROR FAILED_ALLOCATION")
    ExecutionContextAllocationStrategy = Enum(
        "ExecutionContextAllocationStrategy", "STATIC USER_MANAGED"
    )
    for enum in (DataType, TensorIOMode, TensorLocation, ErrorCodeTRT):
        offer(enum)
    offer(ExecutionContextAllocationStrategy)

    @offer
    class ILogger:
        Severity = Enum("Severity", "INTERNAL_ERROR ERROR WARNING")

    @offer
    class IErrorRecorder:
        report_error: Callable[[Any, str], bool]

    @offer
    class Runtime:
        error_recorder: IErrorRecorder

        def __init__(self, logger: ILogger) -> None:
            if "runtime" in card.fails:
                raise TypeError("pybind11::init(): factory function returned nullptr")
            card.at("runtime")
            self.logger: Any = logger

        def deserialize_cuda_engine(self, data: bytes) -> ICudaEngine | None:
            card.at("deserialize")
            if not data.startswith(MAGIC):
                self.logger.log(ILogger.Severity.ERROR, "Serialization assertion failed: magic")
                return None
            if "deserialize" in card.fails:
                self.error_recorder.report_error(ErrorCodeTRT.FAILED_ALLOCATION, "[alloc] no")
                return None
            return ICudaEngine(self, data)

        def __del__(self) -> None:
            card.at("destroy runtime")

    @offer
    class ICudaEngine:
        def __init__(self, runtime: Runtime, data: bytes) -> None:
            told, self.session = open_plan(data)
            self.profiles, self.scratch = told["profiles"], told["scratch"]
            self.recorder = runtime.error_recorder
            self.inputs: dict[str, Any] = {v.name: v for v in self.session.get_inputs()}
            self.all: dict[str, Any] = {
                **self.inputs,
                **{v.name: v for v in self.session.get_outputs()},
            }
            self.shapes: dict[tuple[Any, ...], dict[str, tuple[int, ...]]] = {}
            self.contexts = 0

        @property
        def num_io_tensors(self) -> int:
            return len(self.all)

        @property
        def num_optimization_profiles(self) -> int:
            return len(self.profiles)

        @property
        def device_memory_size_v2(self) -> int:
            return int(self.scratch)

        def get_tensor_name(self, index: int) -> str:
            return list(self.all)[index]

        def get_tensor_mode(self, name: str) -> Any:
            return TensorIOMode.INPUT if name in self.inputs else TensorIOMode.OUTPUT

        def get_tensor_location(self, name: str) -> Any:
            return TensorLocation[card.fails.get("location", "DEVICE")]

        def get_tensor_dtype(self, name: str) -> Any:
            return DataType[card.fails.get("dtype", NUMPY[self.all[name].type][0])]

        def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[list[int]]:
            return list(self.profiles[profile_index][name])

        def create_execution_context(self, strategy: Any) -> IExecutionContext | None:
            card.unrecorded("create_execution_context")
            card.at("context")
            assert strategy is ExecutionContextAllocationStrategy.USER_MANAGED
            if self.contexts >= card.fails.get("contexts", 99):
                self.recorder.report_error(ErrorCodeTRT.INTERNAL_ERROR, "no more contexts")
                return None
            return IExecutionContext(self)

        def sizes(self, shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
            """Shapes of the outputs, found by running it."""
            key = tuple(shapes[name] for name in self.inputs)
            if key not in self.shapes:
                feeds = {n: np.zeros(shapes[n], NUMPY[v.type][1]) for n, v in self.inputs.items()}
                values = self.session.run(None, feeds)
                outputs = [v.name for v in self.session.get_outputs()]
                self.shapes[key] = {n: v.shape for n, v in zip(outputs, values, strict=True)}
            return self.shapes[key]

        def __del__(self) -> None:
            card.at("destroy engine")
            if self.contexts:
                card.faults.append("an engine destroyed under its contexts")

    @offer
    class IExecutionContext:
        def __init__(self, engine: ICudaEngine) -> None:
            self.engine = engine
            engine.contexts += 1
            self.shapes: dict[str, tuple[int, ...]] = {}
            self.addresses: dict[str, int] = {}
            self.memory, self.profile = (0, 0), 0
            self.version, self.ran = 0, -1  # of what is set; which of them has run

        def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
            card.at("shape", quiet=True)
            low, _, high = self.engine.profiles[self.profile][name]
            fits = all(a <= n <= b for a, n, b in zip(low, shape, high, strict=True))
            if fits:
                self.shapes[name] = tuple(shape)
                self.version += 1
            return fits

        def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
            card.at("profile")
            card.unrecorded("profile")
            if profile_index >= card.fails.get("profiles", len(self.engine.profiles)):
                return False
            self.profile = profile_index
            self.shapes.clear()
            self.version += 1
            return True

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            if "sizes" in card.fails:
                return (-1,)
            return self.shapes.get(name) or self.engine.sizes(self.shapes)[name]

        def set_tensor_address(self, name: str, memory: int) -> bool:
            assert isinstance(memory, int)
            if memory % 256:
                card.faults.append("an address that is not aligned")
            self.addresses[name] = memory
            self.version += 1
            return name in self.engine.all

        def set_device_memory(self, memory: int, size: int) -> None:
            self.memory = memory, size
            self.version += 1

        def execute_async_v3(self, stream_handle: int) -> bool:
            assert isinstance(stream_handle, int)
            card.at("execute", quiet=True)
            if card.recording is not None and self.ran != self.version:
                self.engine.recorder.report_error(ErrorCodeTRT.INTERNAL_ERROR, "not warm")
                return False
            if "execute" in card.fails or ("record" in card.fails and card.recording is not None):
                self.engine.recorder.report_error(ErrorCodeTRT.INTERNAL_ERROR, "kernel of conv_7")
                return False
            if self.memory[1] < self.engine.scratch:
                card.faults.append("too little scratch")
            version, shapes, addresses = self.version, dict(self.shapes), dict(self.addresses)
            self.ran = version
            card.enqueued += 1

            def work() -> None:
                if version != self.version:
                    card.faults.append("a context changed under its recording")
                card.find(*self.memory)[:] = 0xEE
                self.compute(shapes, addresses)

            card.put(work)
            return True

        def compute(self, shapes: dict[str, tuple[int, ...]], addresses: dict[str, int]) -> None:
            feeds = {}
            for name, value in self.engine.inputs.items():
                dtype = np.dtype(NUMPY[value.type][1])
                size = int(np.prod(shapes[name])) * dtype.itemsize
                block = card.find(addresses[name], size)
                feeds[name] = block.view(dtype).reshape(shapes[name]).copy()
            outputs = [v.name for v in self.engine.session.get_outputs()]
            values = self.engine.session.run(None, feeds)
            for name, value in zip(outputs, values, strict=True):
                raw = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
                card.find(addresses[name], len(raw))[:] = raw

        def __del__(self) -> None:
            card.at("destroy context")
            self.engine.contexts -= 1

    return names
