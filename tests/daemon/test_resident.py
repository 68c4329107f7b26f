"""A voice and its successor: what they share, and what is refused."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import random_voice
from daemon.resident import Keeper, Resident
from engines.opening import here
from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.store import MANIFEST, Store
from engines.voice import RuntimeOptions, Voice
from tests.daemon import slow_build

TEXT = "今天好。"


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> VoicePack:
    models = random_voice.tiny(nsf=False)
    return VoicePack(random_voice.write(models, tmp_path_factory.mktemp("pack") / "one", "one"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "engines")


@pytest.fixture
def keeper(store: Store) -> Keeper:
    return Keeper(store, RuntimeOptions(streams=2))


@pytest.fixture
def resident(keeper: Keeper, pack: VoicePack) -> Iterator[Resident]:
    resident = keeper.load(pack.folder)
    yield resident
    resident.voice.close()


def speech(voice: Voice) -> NDArray[np.float32]:
    return np.concatenate([chunk.pcm for chunk in voice.stream(voice.plan(TEXT))])


def refusals(resident: Resident) -> dict[str, str]:
    return {graph: error.code for graph, error in resident.opened.refused.items()}


def test_without_engines_the_packs_own_graphs_speak(resident: Resident, keeper: Keeper) -> None:
    assert not resident.complete
    assert all(resident.own(graph) for graph in resident.pack.graphs)
    assert keeper.renew(resident) is resident
    assert len(speech(resident.voice))


def test_what_does_not_change_is_shared(
    resident: Resident, keeper: Keeper, store: Store, pack: VoicePack
) -> None:
    first = {"memory": slow_build.resaved(pack, "memory"), "vocoder": b""}
    slow_build.publish(store, pack, first)
    one = keeper.renew(resident)
    slow_build.publish(store, pack, {**first, "postnet": slow_build.resaved(pack, "postnet")})
    two = keeper.renew(one)
    before, after, last = (r.voice.sessions for r in (resident, one, two))
    changed = {graph for graph in pack.graphs if after[graph] is not before[graph]}
    assert changed == {"memory"}
    assert {graph for graph in pack.graphs if last[graph] is not after[graph]} == {"postnet"}
    assert one.own("vocoder")
    assert one.engine("vocoder") is not None
    np.testing.assert_array_equal(speech(two.voice), speech(resident.voice))
    for successor in (one, two):
        successor.voice.close()


def test_a_full_set_of_engines_is_complete_and_found_at_the_next_start(
    keeper: Keeper, store: Store, pack: VoicePack, resident: Resident
) -> None:
    slow_build.good(pack, store)
    started = keeper.load(pack.folder)
    assert started.complete
    assert not any(started.own(graph) for graph in pack.graphs)
    assert keeper.renew(started) is started
    np.testing.assert_array_equal(speech(started.voice), speech(resident.voice))
    started.voice.close()


BAD = [
    (slow_build.corrupt, {"vocoder": "engine_corrupt"}),
    (slow_build.stale, {"vocoder": "engine_stale"}),
    (slow_build.foreign, {"vocoder": "engine_stale"}),
    (slow_build.unfit, {"voice": "voice_broken"}),
    (slow_build.nan, {"voice": "voice_broken"}),
    (slow_build.no_manifest, {"manifest": "store_broken"}),
]


@pytest.mark.parametrize(
    ("publish", "codes"), BAD, ids=lambda value: getattr(value, "__name__", "")
)
def test_bad_engines_are_refused_and_the_voice_stays(
    keeper: Keeper,
    store: Store,
    pack: VoicePack,
    resident: Resident,
    publish: slow_build.Publish,
    codes: dict[str, str],
) -> None:
    publish(pack, store)
    same = keeper.renew(resident)
    assert same.voice is resident.voice
    assert refusals(same) == codes
    assert keeper.renew(same) is same, "it is refused once, not every second"
    started = keeper.load(pack.folder)  # as after a restart
    assert refusals(started) == codes
    assert not started.complete
    np.testing.assert_array_equal(speech(started.voice), speech(resident.voice))
    started.voice.close()


def test_a_bug_that_engines_bring_out_is_theirs(
    keeper: Keeper, store: Store, pack: VoicePack, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_build.good(pack, store)
    own: Any = Voice.__init__

    def init(
        self: Voice, pack: VoicePack, options: RuntimeOptions, engines: object, *more: object
    ) -> None:
        if engines:
            raise KeyError("memory_kv")
        own(self, pack, options)

    monkeypatch.setattr(Voice, "__init__", init)
    started = keeper.load(pack.folder)
    assert refusals(started) == {"voice": "engine_corrupt"}
    assert "memory_kv" in str(started.opened.refused["voice"])
    started.voice.close()


def test_a_backend_that_fails_costs_only_the_engines(
    store: Store, pack: VoicePack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opener(data: bytes, graph: str) -> OrtSession:
        raise RuntimeError("the driver is gone")

    monkeypatch.setattr("engines.opening.here", lambda _: here("ort-cpu"))
    slow_build.publish(store, pack, {"memory": b"plan"}, backend="tensorrt")
    keeper = Keeper(store, RuntimeOptions(streams=2), lambda _: {"tensorrt": opener})
    started = keeper.load(pack.folder)
    assert refusals(started) == {"manifest": "engine_corrupt"}
    assert "the driver is gone" in str(started.opened.refused["manifest"])
    slow_build.publish(store, pack, {"memory": b"another plan"}, backend="tensorrt")
    same = keeper.renew(started)
    assert same is not started
    assert same.voice is started.voice
    assert keeper.renew(same) is same, "it is tried once, not every second"
    same.close()


def test_good_engines_after_bad_ones_are_taken(
    keeper: Keeper, store: Store, pack: VoicePack, resident: Resident
) -> None:
    slow_build.corrupt(pack, store)
    same = keeper.renew(resident)
    slow_build.good(pack, store)
    successor = keeper.renew(same)
    assert successor.complete
    successor.voice.close()


@pytest.mark.parametrize("kind", ["root", "folder", "manifest"])
def test_a_store_that_cannot_be_read_costs_only_the_engines(
    keeper: Keeper, store: Store, pack: VoicePack, kind: str
) -> None:
    if kind == "manifest":
        (store.folder(pack) / MANIFEST).mkdir(parents=True)
    else:
        file = store.root if kind == "root" else store.folder(pack)
        file.parent.mkdir(exist_ok=True)
        file.write_text("a file where a folder should be")
    started = keeper.load(pack.folder)
    assert refusals(started) == {"manifest": "store_broken"}
    assert keeper.renew(started) is started
    assert len(speech(started.voice))
    started.voice.close()


def test_engines_that_were_removed_stay_in_memory(
    keeper: Keeper, store: Store, pack: VoicePack
) -> None:
    slow_build.good(pack, store)
    started = keeper.load(pack.folder)
    shutil.rmtree(store.root)
    assert keeper.renew(started) is started
    assert len(speech(started.voice))
    started.voice.close()


def test_neither_a_successor_nor_a_refusal_holds_what_it_replaced(
    keeper: Keeper, store: Store, pack: VoicePack
) -> None:
    resident = keeper.load(pack.folder)
    gone: list[weakref.ref[Any]] = [weakref.ref(resident.voice)]
    gone.append(weakref.ref(resident.voice.sessions["vocoder"]))
    slow_build.nan(pack, store)
    refused = keeper.renew(resident)
    slow_build.good(pack, store)
    successor = keeper.renew(refused)
    resident.voice.close()
    gc.disable()  # frozen objects are freed by their counts alone
    try:
        del resident, refused
        assert [reference() for reference in gone] == [None, None]
    finally:
        gc.enable()
    successor.voice.close()


class OnDevice(OrtSession):
    """Stands for a session that holds memory of a GPU until it is closed."""

    device_bytes = 7
    open: ClassVar[set[str]] = set()

    def __init__(self, graph: bytes, name: str) -> None:
        super().__init__(graph, 1)
        self._on = name
        self.open.add(name)

    def close(self) -> None:
        self.open.discard(self._on)


def test_memory_of_a_device_is_given_back_with_its_last_voice(
    store: Store, pack: VoicePack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opener(data: bytes, graph: str) -> OnDevice:
        return OnDevice(data, f"{graph} {sha256(data).hexdigest()}")

    def publish(**marks: str) -> None:
        graphs = {name: slow_build.resaved(pack, name, mark) for name, mark in marks.items()}
        slow_build.publish(store, pack, graphs, backend="ort-cuda")

    monkeypatch.setattr("engines.opening.here", lambda _: here("ort-cpu"))
    keeper = Keeper(store, RuntimeOptions(streams=2), lambda _: {"ort-cuda": opener})
    publish(memory="a", postnet="a")
    one = keeper.load(pack.folder)
    first = set(OnDevice.open)
    assert len(first) == 2
    publish(memory="a", postnet="b")
    two = keeper.renew(one)
    assert two.voice.sessions["memory"] is one.voice.sessions["memory"]
    assert len(OnDevice.open) == 3
    one.close([two])
    assert len(OnDevice.open & first) == 1, "the one that is shared"
    slow_build.publish(
        store, pack, {"memory": slow_build.resaved(pack, "postnet")}, backend="ort-cuda"
    )
    held = set(OnDevice.open)
    refused = keeper.renew(two)
    assert refusals(refused) == {"voice": "voice_broken"}
    assert OnDevice.open == held
    refused.close()
    assert not OnDevice.open
    started = keeper.load(pack.folder)
    assert refusals(started) == {"voice": "voice_broken"}
    assert not OnDevice.open
    started.close()
