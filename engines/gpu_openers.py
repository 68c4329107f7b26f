"""How engines of the backends that need a GPU are opened, ready to run."""

from __future__ import annotations

from collections.abc import Callable

from engines.errors import GpuError
from engines.fixed_sizes import fixed_sizes
from engines.gpu import Gpu
from engines.ort_cuda import OrtCudaSession
from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.session import Session
from engines.store import Backend, Engine
from engines.trt_session import TrtSession


def gpu_openers(
    pack: VoicePack, gpu: Callable[[], Gpu], threads: Callable[[str], int]
) -> dict[Backend, Callable[[bytes, Engine], Session]]:
    """For `open_engines`, by backend.

    gpu: the one GPU of the process, entered when first asked for. threads: of the pack's own graph
    on the processor, which does what an engine cannot; see `TrtSession`.
    """

    def tensorrt(data: bytes, engine: Engine) -> Session:
        """Loaded and warm; nothing is held on the GPU if it fails."""
        graph = engine.graph
        fallback = OrtSession(pack.graphs[graph], threads(graph))
        session = TrtSession(gpu(), graph, data, fallback)
        try:
            session.warm_up(fixed_sizes(graph, pack.file))
        except GpuError:
            session.close()
            raise
        return session

    def cuda(data: bytes, engine: Engine) -> Session:
        return OrtCudaSession(data)

    return {"tensorrt": tensorrt, "ort-cuda": cuda}
