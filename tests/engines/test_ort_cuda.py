"""ONNX Runtime with bound memory: for real on the processor, on CUDA as far as it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from engines import ort_cuda
from engines.device import CUDA
from engines.errors import GpuError, VoiceError
from engines.ort_cuda import BOUND_SHAPES, OrtCudaSession, cuda_options, providers
from engines.ort_session import OrtSession
from engines.pack import GRAPHS, VoicePack
from engines.quiet_ort import ort
from engines.session import Array, BackedSession, DeviceSession, Session
from engines.standby import Standby
from engines.voice import RuntimeOptions, Voice
from tests.engines.small_graph import expected, feeds, model
from trt_build.feeds import Feeds, record
from trt_build.graph_file import read_graph
from trt_build.quantize import half

YUE = Path(__file__).parents[2] / "voices" / "yue"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    onnx.save(model(), tmp_path / "small.onnx")
    return tmp_path / "small.onnx"


@pytest.fixture
def session(path: Path) -> OrtCudaSession:
    return OrtCudaSession(path, device="cpu")


def test_it_takes_the_bytes_of_a_file(path: Path) -> None:
    session = OrtCudaSession(path.read_bytes(), device="cpu")
    np.testing.assert_allclose(session.run(feeds(5))["y"], expected(feeds(5))["y"], atol=1e-6)


def test_it_computes_whatever_the_shapes(session: OrtCudaSession) -> None:
    assert session.state_size == 4
    for seed, size in enumerate([3, 3, 8, 3, 100, 1, 8]):
        given = feeds(size, seed)
        out = session.run(given)
        for name, value in expected(given).items():
            np.testing.assert_allclose(out[name], value, atol=1e-6)


def test_neither_inputs_nor_outputs_are_shared_with_the_next_call(session: OrtCudaSession) -> None:
    first, second = feeds(3, 1), feeds(3, 2)
    kept = {name: value.copy() for name, value in first.items()}
    out = session.run(first)
    told = {name: value.copy() for name, value in out.items()}
    session.run(second)
    for name in kept:
        np.testing.assert_array_equal(first[name], kept[name])
    for name in told:
        np.testing.assert_array_equal(out[name], told[name])


def test_memory_is_kept_for_some_shapes_only(session: OrtCudaSession) -> None:
    for size in range(1, 3 * BOUND_SHAPES):
        session.run(feeds(size))
    assert len(session._bound) == BOUND_SHAPES


def test_inputs_that_do_not_lie_in_order(session: OrtCudaSession) -> None:
    given = feeds(5)
    turned = {**given, "x": np.repeat(given["x"], 2, 1)[:, ::2]}
    np.testing.assert_allclose(session.run(turned)["y"], expected(given)["y"], atol=1e-6)


def test_calls_from_many_threads(session: OrtCudaSession) -> None:
    def check(seed: int) -> None:
        given = feeds(1 + seed % 12, seed)
        np.testing.assert_allclose(session.run(given)["y"], expected(given)["y"], atol=1e-6)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(check, range(100)))


def test_wrong_inputs_are_the_voices_fault(session: OrtCudaSession) -> None:
    for wrong in ({"x": feeds(3)["x"]}, {**feeds(3), "state": np.zeros((1, 4), np.int64)}):
        with pytest.raises(VoiceError, match=r"does not fit its voice\.toml") as error:
            session.run(wrong)
        assert error.value.code == "voice_broken"
    session.run(feeds(3))


def test_a_file_that_is_no_graph(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no graph")
    with pytest.raises(VoiceError, match="not a graph ONNX Runtime can run"):
        OrtCudaSession(tmp_path / "x.onnx", device="cpu")


def test_a_voice_speaks_the_same_with_it(plain_pack: Path) -> None:
    pack = VoicePack(plain_pack)
    options = RuntimeOptions(vocoder_threads=1)
    bound: dict[str, Session] = {n: OrtCudaSession(pack.graphs[n], "cpu") for n in GRAPHS}
    plain: dict[str, Session] = {n: OrtSession(pack.graphs[n], 1) for n in GRAPHS}
    told = []
    for engines in (bound, plain):
        with Voice(pack, options, engines) as voice:
            chunks = [chunk.pcm for chunk in voice.stream(voice.plan("今天天气真好。"))]
        told.append(np.concatenate(chunks))
    np.testing.assert_allclose(told[0], told[1], atol=1e-6)


def test_options_bound_the_arena_and_do_not_try_every_convolution() -> None:
    options = cuda_options(1, 123_456_789)
    assert options["device_id"] == "1"
    assert options["gpu_mem_limit"] == "123456789"
    assert options["arena_extend_strategy"] == "kSameAsRequested"
    assert options["cudnn_conv_algo_search"] == "HEURISTIC"
    assert all(isinstance(value, str) for value in options.values())


def test_without_cuda_it_says_what_to_install(path: Path) -> None:
    if CUDA in providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(
        GpuError, match=r"no CUDAExecutionProvider, only .*CPU.*onnxruntime-gpu"
    ) as error:
        OrtCudaSession(path)
    assert error.value.code == "gpu_not_installed"


def test_a_cuda_that_cannot_be_loaded_is_not_passed_over(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime takes the processor then, with no more than a line on stderr."""
    monkeypatch.setattr(ort_cuda, "providers", lambda: (CUDA, "CPUExecutionProvider"))
    asked: list[Any] = []

    def silent(name: str, settings: Any, wanted: list[Any], **more: Any) -> ort.InferenceSession:
        asked.append(wanted)
        return real(name, settings, ["CPUExecutionProvider"], **more)

    real = ort.InferenceSession
    monkeypatch.setattr(ort, "InferenceSession", silent)
    with pytest.raises(GpuError, match=r"cannot load its CUDAExecutionProvider: .*doctor --gpu"):
        OrtCudaSession(path, limit=1000)
    assert asked[0][0] == (CUDA, cuda_options(0, 1000))


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Failed to allocate memory for requested buffer of size 64", "gpu_memory"),
        ("CUDA failure 2: out of memory ; GPU=0", "gpu_memory"),
        ("CUDNN failure 4: CUDNN_STATUS_INTERNAL_ERROR", "gpu_failed"),
        ("Invalid rank for input: x", "voice_broken"),
    ],
)
def test_what_onnx_runtime_says_is_sorted(
    session: OrtCudaSession, monkeypatch: pytest.MonkeyPatch, said: str, code: str
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError(said)

    monkeypatch.setattr(session._session, "run_with_iobinding", fail)
    with pytest.raises((GpuError, VoiceError), match=r"small\.onnx") as error:
        session.run(feeds(3))
    assert error.value.code == code


def test_what_it_holds_is_told_and_given_back(path: Path) -> None:
    session = OrtCudaSession(path.read_bytes(), device="cpu")
    assert isinstance(session, DeviceSession)
    before = session.device_bytes
    assert before == path.stat().st_size
    session.run(feeds(5))
    assert session.device_bytes == before + sum(value.nbytes for value in feeds(5).values())
    session.close()
    session.close()
    assert session.device_bytes == 0
    with pytest.raises(GpuError, match="was closed") as error:
        session.run(feeds(5))
    assert error.value.code == "gpu_closed"


def test_graphs_in_fp16_load_and_compute() -> None:
    """One optimizer of ONNX Runtime 1.32 would end the process over the postnet."""
    fed: dict[str, list[Feeds]] = {name: [] for name in GRAPHS}
    pack = VoicePack(YUE)
    record(pack, ["今天好。"], GRAPHS, lambda graph, it: fed[graph].append(it))
    for name in GRAPHS:
        session = OrtCudaSession(half(read_graph(pack.graphs[name])).SerializeToString(), "cpu")
        plain = OrtSession(pack.graphs[name], 1).run(fed[name][0])
        for output, value in session.run(fed[name][0]).items():
            scale = float(np.abs(plain[output]).max()) or 1.0
            np.testing.assert_allclose(value, plain[output], atol=0.03 * scale, rtol=0)


class Failing:
    """Stands for a session on a card, which fails once told to."""

    state_size, device_bytes = 4, 5

    def __init__(self, session: Session) -> None:
        self._session, self.error = session, GpuError("gpu_failed", "the card is gone")
        self.fails, self.calls, self.open = False, 0, True

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        self.calls += 1
        if self.fails:
            raise self.error
        return self._session.run(feeds)

    def close(self) -> None:
        self.open = False


def test_the_processor_stands_by(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    card, own = Failing(OrtSession(path, 1)), OrtSession(path, 1)
    session = Standby("the engine of small", card, own)
    assert isinstance(session, DeviceSession)
    assert isinstance(session, BackedSession)
    assert (session.state_size, session.device_bytes) == (4, 5)
    session.run(feeds(3))
    assert session.lost is None
    card.fails = True
    for _ in range(2):
        np.testing.assert_allclose(session.run(feeds(3))["y"], expected(feeds(3))["y"], atol=1e-6)
    assert session.lost is card.error
    assert card.calls == 2, "a card that has failed is not tried again"
    assert caplog.messages == ["the engine of small is left for the processor: the card is gone"]
    session.close()
    assert not card.open
