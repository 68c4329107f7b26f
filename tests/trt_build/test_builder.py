"""The builder run for real, in TensorRT-RTX; and what it says where TensorRT refuses."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from tests.trt_build.golden_graphs import BUILT_IN, case
from trt_build.build_log import Hearing, Told
from trt_build.builder import BuildOptions, Plan, build, typing_flags
from trt_build.errors import BuildError
from trt_build.profiles import Profile, Shapes, profile
from trt_build.timing_cache import cache_file

rtx_only = pytest.mark.tensorrt
VECTOR = {"x": Shapes((1,), (2,), (3,))}


def graph_of(node: onnx.NodeProto, *inputs: onnx.ValueInfoProto) -> onnx.ModelProto:
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "small", inputs, [out])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)


def relu() -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["X"])
    return graph_of(helper.make_node("Relu", ["x"], ["out"], name="layer/Relu_1"), x)


def sum_of(a: int, b: int, *axis: Any) -> onnx.ModelProto:
    node = helper.make_node("Add", ["x", "y"], ["out"], name="layer/Add_1")
    return graph_of(
        node,
        helper.make_tensor_value_info("x", a, list(axis[:1])),
        helper.make_tensor_value_info("y", b, list(axis[-1:])),
    )


def into(told: list[float]) -> Told:
    def listen(phase: str, share: float) -> bool:
        told.append(share)
        return True

    return listen


def memory(trt: Any, options: BuildOptions | None = None, told: Any = None) -> Plan:
    it = case(BUILT_IN, "memory")
    shapes = [profile(it.model, it.dimensions)]
    return (
        build(trt, it.model, shapes, options, told)
        if told
        else build(trt, it.model, shapes, options)
    )


@rtx_only
def test_levels_and_workspace_are_taken(trt: Any) -> None:
    for level, workspace in ((0, 0), (5, 256)):
        made = memory(trt, BuildOptions(builder_optimization_level=level, workspace_mb=workspace))
        assert len(made.data) > 1000


@rtx_only
def test_too_small_a_workspace_is_told(trt: Any) -> None:
    with pytest.raises(BuildError, match="more with --workspace-mb") as error:
        memory(trt, BuildOptions(workspace_mb=1))
    assert error.value.code == "workspace_small"


@rtx_only
def test_half_floats_stay_half_floats(trt: Any) -> None:
    """Strongly typed: the plan of an FP16 graph is smaller because its weights are."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [256, 256], [0.5] * 256 * 256)
    node = helper.make_node("MatMul", ["x", "w"], ["out"], name="layer/MatMul")
    whole = graph_of(node, helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 256]))
    whole.graph.initializer.append(weight)
    half = onnx.ModelProto.FromString(whole.SerializeToString())
    half.graph.initializer[0].CopyFrom(
        helper.make_tensor("w", TensorProto.FLOAT16, [256, 256], [0.5] * 256 * 256)
    )
    for value in (*half.graph.input, *half.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    sizes = [len(build(trt, model, []).data) for model in (whole, half)]
    assert sizes[0] - sizes[1] > 100_000


@rtx_only
def test_every_bucket_of_shapes_is_built_for(trt: Any) -> None:
    one = build(trt, relu(), [VECTOR])
    two = build(trt, relu(), [VECTOR, {"x": Shapes((4,), (4,), (9,))}])
    assert len(two.data) > len(one.data)


@rtx_only
def test_progress_rises_to_the_end_and_names_phases(trt: Any) -> None:
    told: list[tuple[str, float]] = []

    def listen(phase: str, share: float) -> bool:
        told.append((phase, share))
        return True

    memory(trt, told=listen)
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[0] < 0.5
    assert shares[-1] == 1.0
    assert len(set(shares)) > 5
    assert any("engine" in phase.lower() for phase, _ in told)


@rtx_only
def test_a_build_is_stopped_by_its_listener(trt: Any) -> None:
    left = iter(range(3))
    with pytest.raises(BuildError) as error:
        memory(trt, told=lambda *_: next(left, None) is not None)
    assert error.value.code == "build_cancelled"


@rtx_only
@pytest.mark.parametrize("kind", [KeyboardInterrupt, BrokenPipeError])
def test_what_the_listener_raises_comes_out_of_the_build(
    trt: Any, kind: type[BaseException]
) -> None:
    def listen(phase: str, share: float) -> bool:
        raise kind

    with pytest.raises(kind):
        memory(trt, told=listen)


@rtx_only
def test_a_graph_the_parser_refuses_is_named_by_its_node(trt: Any) -> None:
    node = helper.make_node("Unique", ["x"], ["out"], name="text/Unique_7")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    with pytest.raises(BuildError, match=r"graph small: .*text/Unique_7 \(Unique\)") as error:
        build(trt, graph_of(node, x), [])
    assert error.value.code == "graph_refused"
    assert "export the voice again" in str(error.value)


@rtx_only
def test_a_file_that_is_no_graph_is_refused(trt: Any) -> None:
    with pytest.raises(BuildError) as error:
        build(trt, onnx.ModelProto(), [])
    assert error.value.code in ("graph_refused", "build_failed")


@rtx_only
def test_types_that_do_not_agree_are_refused(trt: Any) -> None:
    with pytest.raises(BuildError, match="layer/Add_1"):
        build(trt, sum_of(TensorProto.FLOAT, TensorProto.FLOAT16, 4), [])


@rtx_only
def test_sizes_that_do_not_fit_are_named_by_their_layer(trt: Any) -> None:
    shapes = {"x": Shapes((3,), (3,), (3,)), "y": Shapes((4,), (4,), (4,))}
    with pytest.raises(BuildError, match="layer/Add_1") as error:
        build(trt, sum_of(TensorProto.FLOAT, TensorProto.FLOAT, "X", "Y"), [shapes])
    assert error.value.code == "build_failed"
    assert "cudaError" not in str(error.value)


@rtx_only
@pytest.mark.parametrize(
    ("shapes", "code", "told"),
    [
        ([{"x": Shapes((3,), (2,), (3,))}], "profile_refused", "MIN<=OPT<=MAX"),
        ([{"x": Shapes((3, 3), (3, 3), (3, 3))}], "build_failed", "tensor x has 1 dimensions"),
        ([{"y": Shapes((3,), (3,), (3,))}], "build_failed", "tensor x is missing"),
        ([], "build_failed", "no optimization profile"),
    ],
)
def test_a_bad_profile_is_told(trt: Any, shapes: list[Profile], code: str, told: str) -> None:
    with pytest.raises(BuildError, match=told) as error:
        build(trt, relu(), shapes)
    assert error.value.code == code
    assert "cudaError" not in str(error.value)


@rtx_only
def test_failures_leave_nothing_that_crashes_later(trt: Any) -> None:
    """Freed in the wrong order, TensorRT's objects and its listeners end the process."""
    for _ in range(3):
        for model, shapes in ((relu(), []), (relu(), [VECTOR])):
            try:
                build(trt, model, shapes)
            except BuildError as error:
                kept = error
        gc.collect()
    assert kept.__traceback__ is not None
    del kept
    gc.collect()


@rtx_only
def test_weak_typing_is_refused_where_there_is_none(trt: Any) -> None:
    with pytest.raises(BuildError, match="weak-typing") as error:
        memory(trt, BuildOptions(weak_typing=True))
    assert error.value.code == "weak_typing_unsupported"


def test_weak_typing_is_for_old_versions_only() -> None:
    flags = SimpleNamespace(INT8="int8", FP16="fp16")
    strong = SimpleNamespace(STRONGLY_TYPED=1)
    old, new = (
        SimpleNamespace(
            BuilderFlag=flags, NetworkDefinitionCreationFlag=strong, __version__=version
        )
        for version in ("10.3.0", "10.16.1.11")
    )
    assert typing_flags(old, BuildOptions()) == (2, [])
    assert typing_flags(old, BuildOptions(weak_typing=True)) == (0, ["int8", "fp16"])
    with pytest.raises(BuildError, match=r"10\.16"):
        typing_flags(new, BuildOptions(weak_typing=True))


@rtx_only
def test_a_timing_cache_is_written_and_read(trt: Any, tmp_path: Path) -> None:
    """TensorRT-RTX keeps nothing in it, but makes, takes and serializes one."""
    path = cache_file(tmp_path / "new", trt.__version__, "NVIDIA Orin / 8.7")
    assert path.name == f"timing-{trt.__version__}-NVIDIA-Orin-8.7.cache"
    memory(trt, BuildOptions(timing_cache=path))
    first = path.read_bytes()
    assert first
    memory(trt, BuildOptions(timing_cache=path))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@rtx_only
@pytest.mark.parametrize("content", [b"", b"of another GPU", bytes(100_000)])
def test_a_timing_cache_that_is_refused_is_begun_anew(
    trt: Any, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "timing.cache"
    path.write_bytes(content)
    assert memory(trt, BuildOptions(timing_cache=path)).data
    assert path.read_bytes() != content


@rtx_only
def test_a_timing_cache_that_cannot_be_kept_stops_nothing(trt: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert memory(trt, BuildOptions(timing_cache=tmp_path / "file" / "timing.cache")).data


def test_nested_phases_add_up() -> None:
    told: list[float] = []
    hearing = Hearing(into(told))
    hearing.start("whole", None, 2)
    hearing.step("whole", 0)
    hearing.start("part", "whole", 4)
    hearing.step("part", 1)
    hearing.finish("part")
    hearing.finish("whole")
    assert told == [0.0, 0.5, 0.5, 0.75, 0.75, 1.0]


def test_phases_of_several_threads_never_fall() -> None:
    told: list[float] = []
    hearing = Hearing(into(told))
    hearing.start("whole", None, 4)

    def work(name: str) -> None:
        hearing.start(name, "whole", 50)
        for step in range(50):
            hearing.step(name, step)
        hearing.finish(name)

    threads = [threading.Thread(target=work, args=(f"part {i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == sorted(told)
    assert len(told) == 1 + 4 * 52


@pytest.mark.parametrize(
    "message", ["Error Code 2: OutOfMemory (no further information)", "FAILED_ALLOCATION x"]
)
def test_want_of_device_memory_is_known(message: str) -> None:
    hearing = Hearing()
    hearing.error(message)
    assert hearing.out_of_memory
    assert hearing.said() == message
