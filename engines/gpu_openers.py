"""How engines of the backends that need a GPU are opened, ready to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from engines.fixed_sizes import fixed_sizes
from engines.one_gpu import OneGpu
from engines.ort_cuda import LIMIT, OrtCudaSession
from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.session import Session
from engines.standby import OnDevice, Standby
from engines.store import Backend
from engines.trt_session import TrtSession

Open = Callable[[bytes, str], Session]


def gpu_openers(
    pack: VoicePack, gpu: OneGpu, threads: Callable[[str], int] | None = None
) -> Mapping[Backend, Open]:
    """By backend: from the bytes of an engine, their hash checked, and the graph's name.

    gpu: entered with the first engine of TensorRT. threads: of the pack's own graph on the
    processor, which does what an engine cannot and everything once the GPU has failed; None:
    nothing does, so that whatever an engine cannot is an error.
    """

    def tensorrt(data: bytes, graph: str) -> OnDevice:
        """Loaded and warm; nothing is held on the GPU if it fails."""
        session = TrtSession(gpu(), graph, data)
        try:
            session.warm_up(fixed_sizes(graph, pack.file))
        except BaseException:
            session.close()
            raise
        return session

    def cuda(data: bytes, graph: str) -> OnDevice:
        """Its arena takes no more than all engines may; ONNX Runtime has one for each session."""
        return OrtCudaSession(data, limit=min(LIMIT, gpu.limit or LIMIT))

    def backed(load: Callable[[bytes, str], OnDevice], data: bytes, graph: str) -> Session:
        if threads is None:
            return load(data, graph)
        own = OrtSession(pack.graphs[graph], threads(graph))
        return Standby(f"the engine of {graph}", load(data, graph), own)

    return {"tensorrt": partial(backed, tensorrt), "ort-cuda": partial(backed, cuda)}
