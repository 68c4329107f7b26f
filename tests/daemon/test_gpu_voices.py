"""Voices on TensorRT's engines, loaded as the daemon does (on a fake GPU that computes)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import random_voice
from daemon import engine_report
from daemon.config import EngineConfig
from daemon.resident import Resident
from daemon.voices import Shelf, load_voices
from engines.device import Device
from engines.opening import here
from engines.pack import VoicePack
from engines.session import Floats
from engines.standby import Standby
from engines.store import Store
from engines.style import Style
from tests.daemon import slow_build
from tests.engines.conftest import card
from tests.engines.fake_gpu import Card, open_plan, plan
from trt_build.graph_file import read_graphs
from trt_build.profiles import profile, voice_dimensions

__all__ = ["card"]
ORIN = Device(gpu="Orin", sm="8.7", tensorrt="10.3.0", pycuda="2024.1")
BUILT_HERE = {"backend": "tensorrt", "device": "Orin 8.7", "runtime": "tensorrt 10.3.0"}
TEXT = "今天天气真好。"
Box = Callable[[Device], None]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> VoicePack:
    models = random_voice.tiny(nsf=False)
    return VoicePack(random_voice.write(models, tmp_path_factory.mktemp("voices") / "one", "one"))


@pytest.fixture(scope="module")
def plans(pack: VoicePack) -> dict[str, bytes]:
    dimensions = voice_dimensions(pack.file)
    return {
        name: plan(model.SerializeToString(), profile(model, dimensions[name]))
        for name, model in read_graphs(pack).items()
    }


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    """Makes this machine one that has such a device."""

    def make(found: Device) -> None:
        here.cache_clear()
        monkeypatch.setattr("engines.opening.device", lambda: found)

    make(ORIN)
    yield make
    here.cache_clear()


@pytest.fixture
def config(tmp_path: Path) -> EngineConfig:
    return EngineConfig(store=tmp_path / "engines")


@pytest.fixture
def store(config: EngineConfig) -> Store:
    return Store(config.store)


def load(pack: VoicePack, config: EngineConfig) -> Shelf:
    return load_voices(pack.folder.parent, "", config, 2, lambda _: None)


def resident(shelf: Shelf) -> Resident:
    (one,) = shelf.residents.values()
    return one


def refusals(shelf: Shelf) -> dict[str, str]:
    return {graph: error.code for graph, error in resident(shelf).opened.refused.items()}


def on_gpu(shelf: Shelf) -> set[str]:
    sessions = resident(shelf).voice.sessions
    return {name for name, session in sessions.items() if isinstance(session, Standby)}


def spoken(shelf: Shelf) -> Floats:
    voice = resident(shelf).voice
    return np.concatenate([chunk.pcm for chunk in voice.stream(voice.plan(TEXT, Style()))])


@pytest.fixture(scope="module")
def own(pack: VoicePack, tmp_path_factory: pytest.TempPathFactory) -> Floats:
    """What the pack's own graphs say."""
    shelf = load(pack, EngineConfig(store=tmp_path_factory.mktemp("empty")))
    said = spoken(shelf)
    shelf.close()
    return said


def test_all_engines_are_resident_and_told(
    box: Box,
    card: Card,
    pack: VoicePack,
    plans: dict[str, bytes],
    config: EngineConfig,
    store: Store,
    own: Floats,
) -> None:
    slow_build.publish(store, pack, plans, **BUILT_HERE)
    shelf = load(pack, config)
    assert refusals(shelf) == {}
    assert on_gpu(shelf) == set(pack.graphs)
    assert resident(shelf).complete
    assert card.retained == 1, "one GPU for all"
    np.testing.assert_allclose(spoken(shelf), own, atol=1e-5)

    told = engine_report.report("1", shelf, {}, config)
    graphs = told.voices[0].graphs
    assert {graph.backend for graph in graphs} == {"tensorrt"}
    assert all(graph.device_bytes > 0 and not graph.lost for graph in graphs)
    assert told.device_bytes > sum(graph.device_bytes for graph in graphs), "scratch too"
    shelf.close()
    assert engine_report.report("1", shelf, {}, config).device_bytes == 0


def test_without_engines_for_it_the_gpu_is_left_alone(
    box: Box, card: Card, pack: VoicePack, config: EngineConfig, store: Store
) -> None:
    slow_build.good(pack, store)
    shelf = load(pack, config)
    assert (card.retained, card.events) == (0, [])
    assert engine_report.report("1", shelf, {}, config).device_bytes == 0
    shelf.close()


def test_engines_that_cannot_be_used_cost_no_other(
    box: Box,
    card: Card,
    pack: VoicePack,
    plans: dict[str, bytes],
    config: EngineConfig,
    store: Store,
    own: Floats,
) -> None:
    slow_build.publish(store, pack, {**plans, "postnet": b"no plan"}, **BUILT_HERE)
    cut = store.folder(pack) / slow_build.engine("vocoder", plans["vocoder"]).file
    cut.write_bytes(plans["vocoder"][:-1])
    shelf = load(pack, config)
    assert refusals(shelf) == {"postnet": "engine_broken", "vocoder": "engine_corrupt"}
    assert on_gpu(shelf) == set(pack.graphs) - {"postnet", "vocoder"}
    np.testing.assert_allclose(spoken(shelf), own, atol=1e-5)
    shelf.close()


@pytest.mark.parametrize(
    "found",
    [
        Device(why="no NVIDIA driver is installed, so there is no GPU to use"),
        Device(gpu="RTX 4090", sm="8.9", tensorrt="10.3.0"),
        Device(gpu="Orin", sm="8.7", tensorrt="10.4.0"),
    ],
    ids=["none", "another GPU", "another TensorRT"],
)
def test_engines_of_another_box_are_stale(
    box: Box,
    card: Card,
    pack: VoicePack,
    plans: dict[str, bytes],
    config: EngineConfig,
    store: Store,
    own: Floats,
    found: Device,
) -> None:
    box(found)
    slow_build.publish(store, pack, plans, **BUILT_HERE)
    shelf = load(pack, config)
    assert set(refusals(shelf).values()) == {"engine_stale"}
    why = found.why or "was built for Orin 8.7 with tensorrt 10.3.0, this is"
    assert why in str(resident(shelf).opened.refused["memory"])
    assert card.events == []
    np.testing.assert_array_equal(spoken(shelf), own)
    shelf.close()


def test_a_gpu_that_fails_at_the_start_costs_only_speed(
    box: Box,
    card: Card,
    pack: VoicePack,
    plans: dict[str, bytes],
    config: EngineConfig,
    store: Store,
    own: Floats,
    caplog: pytest.LogCaptureFixture,
) -> None:
    card.fails["init"] = True
    slow_build.publish(store, pack, plans, **BUILT_HERE)
    with caplog.at_level(logging.WARNING):
        shelf = load(pack, config)
    assert set(refusals(shelf).values()) == {"gpu_missing"}
    assert "the engine of vocoder is not used: GPU 0 cannot be used" in caplog.text
    (line,) = engine_report.short_lines(shelf, {})
    assert line.startswith("one: ort-cpu fp32 (6); not used: ")
    np.testing.assert_array_equal(spoken(shelf), own)
    shelf.close()


def test_memory_is_bounded_by_the_settings(
    box: Box,
    card: Card,
    pack: VoicePack,
    plans: dict[str, bytes],
    config: EngineConfig,
    store: Store,
    own: Floats,
) -> None:
    slow_build.publish(store, pack, plans, **BUILT_HERE)
    shelf = load(pack, replace(config, gpu_memory_mb=1))
    assert set(refusals(shelf).values()) == {"gpu_memory"}
    assert on_gpu(shelf), "those that fit"
    assert shelf.gpu is not None
    assert 0 < shelf.gpu.held <= 1 << 20
    np.testing.assert_allclose(spoken(shelf), own, atol=1e-5)
    shelf.close()


def test_a_gpu_that_fails_later_is_told(
    box: Box,
    card: Card,
    pack: VoicePack,
    plans: dict[str, bytes],
    config: EngineConfig,
    store: Store,
    own: Floats,
) -> None:
    slow_build.publish(store, pack, plans, **BUILT_HERE)
    shelf = load(pack, config)
    card.fails.update(synchronize=True, execute=True, launch=True)
    np.testing.assert_allclose(spoken(shelf), own, atol=1e-5)
    lost = {g.graph: g.lost for g in engine_report.report("1", shelf, {}, config).voices[0].graphs}
    assert all("(gpu_failed)" in why or "(engine_broken)" in why for why in lost.values()), lost
    (line,) = engine_report.short_lines(shelf, {})
    assert "the GPU has failed, on the processor: " in line
    assert "vocoder" in line
    card.fails.clear()
    shelf.close()


def test_a_swap_gives_back_what_it_replaced(
    box: Box,
    card: Card,
    pack: VoicePack,
    plans: dict[str, bytes],
    config: EngineConfig,
    store: Store,
    own: Floats,
) -> None:
    slow_build.publish(store, pack, plans, **BUILT_HERE)
    shelf = load(pack, config)
    old, used = resident(shelf), card.used
    assert shelf.keeper is not None
    again = plan(slow_build.resaved(pack, "memory"), *open_plan(plans["memory"])[0]["profiles"])
    slow_build.publish(store, pack, {**plans, "memory": again}, **BUILT_HERE)
    new = shelf.keeper.renew(old)
    changed = {n for n, it in new.voice.sessions.items() if it is not old.voice.sessions[n]}
    assert changed == {"memory"}
    assert card.used > used
    old.close([new])
    assert card.used == used
    shelf.residents["one"], shelf.voices["one"] = new, new.voice
    np.testing.assert_allclose(spoken(shelf), own, atol=1e-5)
    shelf.close()


def test_a_swap_that_does_not_fit_leaves_the_voice(
    box: Box,
    card: Card,
    pack: VoicePack,
    plans: dict[str, bytes],
    config: EngineConfig,
    store: Store,
) -> None:
    slow_build.publish(store, pack, plans, **BUILT_HERE)
    shelf = load(pack, config)
    old, used = resident(shelf), card.used
    card.total = used + 1000
    again = plan(slow_build.resaved(pack, "memory"), *open_plan(plans["memory"])[0]["profiles"])
    slow_build.publish(store, pack, {**plans, "memory": again}, **BUILT_HERE)
    assert shelf.keeper is not None
    same = shelf.keeper.renew(old)
    assert same.voice is old.voice
    assert {g: e.code for g, e in same.opened.refused.items()} == {"memory": "gpu_memory"}
    assert card.used == used
    shelf.close()
