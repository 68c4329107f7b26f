"""A whole voice built: what is kept, what is built anew, and what survives whatever happens."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from engines.errors import StoreError
from engines.opening import here, open_engines
from engines.pack import GRAPHS, VoicePack
from engines.session import Session
from engines.store import MANIFEST, Backend, Manifest, Store
from tests.trt_build import slow_voice
from tests.trt_build.golden_graphs import ROOT
from trt_build import rtx
from trt_build.build_voice import Setup, build_voice, one_sentence, stale
from trt_build.errors import BuildError
from trt_build.graph_file import read_graphs
from trt_build.makers import OnnxMaker, PlanMaker
from trt_build.profiles import profile, voice_dimensions
from trt_build.rungs import AsItIs
from trt_build.supervised import Limits
from trt_build.workshop import Workshop

SLOW = ("memory", "postnet")


@dataclass(frozen=True)
class Word:
    """A verdict."""

    passed: bool = True
    reasons: tuple[str, ...] = ()
    mean: dict[str, float] = field(default_factory=lambda: {"pesq": 4.5})
    strain: float = 0.5


def deaf(sessions: Mapping[str, Session]) -> Word:
    """A gate that all pass."""
    return Word()


def silent(what: str) -> None:
    """Progress to nobody."""


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> VoicePack:
    return slow_voice.write(tmp_path_factory.mktemp("voices") / "tiny", SLOW)


@pytest.fixture
def fast(pack: VoicePack) -> slow_voice.Fast:
    return slow_voice.Fast(pack)


@pytest.fixture
def setup(fast: slow_voice.Fast) -> Setup:
    return Setup(OnnxMaker(), {"int8": fast}, deaf)


def build(pack: VoicePack, store: Store, setup: Setup, **options: bool) -> Manifest:
    return build_voice(pack, store, setup, silent, **options)


def test_winners_are_published_and_can_be_opened(
    tmp_path: Path, pack: VoicePack, setup: Setup
) -> None:
    store = Store(tmp_path)
    made = build(pack, store, setup)
    assert made == store.read(pack)
    assert list(made.engines) == list(GRAPHS)
    assert {name for name, engine in made.engines.items() if engine.file} == set(SLOW)
    assert made.quality == {"pesq": 4.5}
    engine = made.engines["memory"]
    assert (engine.backend, engine.precision) == ("ort-cpu", "int8")
    assert (engine.device, engine.runtime) == here("ort-cpu")
    assert [loser.code for loser in engine.lost] == ["slower"]
    assert engine.lost[0].time_ms > engine.time_ms > 0.0
    assert made.engines["encoder"].lost[0].code == "nothing_to_change"
    opened = open_engines(pack, store, lambda _: 1)
    assert not opened.refused
    assert set(opened.sessions) == set(SLOW)
    left = sorted(path.name for path in store.folder(pack).iterdir())
    assert left == sorted(["lock", MANIFEST, *(made.engines[name].file for name in SLOW)])


def test_what_is_unchanged_is_not_built_again(
    tmp_path: Path, pack: VoicePack, setup: Setup, fast: slow_voice.Fast
) -> None:
    store = Store(tmp_path)
    first = build(pack, store, setup)
    fast.asked.clear()
    assert stale(pack, store, setup) == {}
    assert build(pack, store, setup) == first
    assert fast.asked == []
    build(pack, store, setup, force=True)
    assert fast.asked == list(GRAPHS)


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_engine_alone_is_built_again(
    tmp_path: Path, pack: VoicePack, setup: Setup, fast: slow_voice.Fast, damage: str
) -> None:
    store = Store(tmp_path)
    path = store.folder(pack) / build(pack, store, setup).engines["memory"].file
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[:-1])
    else:
        path.unlink()
    fast.asked.clear()
    assert list(stale(pack, store, setup)) == ["memory"]
    build(pack, store, setup)
    assert fast.asked == ["memory"]
    assert path.read_bytes() == data


def test_a_manifest_that_cannot_be_read_is_written_anew(
    tmp_path: Path, pack: VoicePack, setup: Setup
) -> None:
    store = Store(tmp_path)
    build(pack, store, setup)
    (store.folder(pack) / MANIFEST).write_bytes(b"{")
    assert set(build(pack, store, setup).engines) == set(GRAPHS)
    assert store.read(pack) is not None


def elsewhere(backend: Backend) -> tuple[str, str]:
    return "Orin", "tensorrt 10.3.0"


@pytest.mark.parametrize("what", ["device", "recipe", "gate"])
def test_engines_of_another_device_recipe_or_gate_are_built_again(
    tmp_path: Path, pack: VoicePack, setup: Setup, what: str
) -> None:
    store = Store(tmp_path)
    build(pack, store, setup)
    other = {
        "device": replace(setup, here=elsewhere),
        "recipe": replace(setup, recipes={"int8": slow_voice.Fast(pack, "2")}),
        "gate": replace(setup, judged_by="stricter"),
    }[what]
    assert list(stale(pack, store, other)) == list(GRAPHS)
    assert "have changed" in stale(pack, store, other)["memory"]


def test_the_worst_is_given_up_until_all_together_pass(
    tmp_path: Path, pack: VoicePack, fast: slow_voice.Fast
) -> None:
    strain = {"memory": 0.9, "postnet": 0.3}

    def gate(sessions: Mapping[str, Session]) -> Word:
        if len(sessions) > 1:
            return Word(passed=False, reasons=("PESQ 3.9",))
        return Word(strain=max(strain[name] for name in sessions))

    made = build(pack, Store(tmp_path), Setup(OnnxMaker(), {"int8": fast}, gate))
    assert {name for name, engine in made.engines.items() if engine.file} == {"postnet"}
    (lost,) = made.engines["memory"].lost
    assert lost.code == "together_failed"
    assert "PESQ 3.9" in lost.reason


def test_a_kept_engine_is_given_up_for_a_new_ones_sake(
    tmp_path: Path, pack: VoicePack, setup: Setup
) -> None:
    """Those kept from an earlier build stand with the new ones before the gate."""
    store = Store(tmp_path)
    path = store.folder(pack) / build(pack, store, setup).engines["memory"].file
    path.unlink()
    strain = {"memory": 0.1, "postnet": 0.8}

    def gate(sessions: Mapping[str, Session]) -> Word:
        return Word(len(sessions) == 1, ("too much",), strain=max(strain[n] for n in sessions))

    made = build(pack, store, replace(setup, gate=gate))
    assert {name for name, engine in made.engines.items() if engine.file} == {"memory"}
    assert made.engines["postnet"].lost[-1].code == "together_failed"
    assert not list(store.folder(pack).glob("postnet-*"))


def test_two_builders_do_not_meet(tmp_path: Path, pack: VoicePack, setup: Setup) -> None:
    store = Store(tmp_path)
    with store.lock(pack), pytest.raises(StoreError) as error:
        build(pack, store, setup)
    assert error.value.code == "store_locked"


CHILD = """
import resource, signal, sys
from pathlib import Path
from engines.store import Store
from engines.pack import VoicePack
from tests.trt_build import slow_voice
from types import SimpleNamespace
from trt_build.build_voice import Setup, build_voice
from trt_build.makers import OnnxMaker
limit = int(sys.argv[3])
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
pack = VoicePack(Path(sys.argv[1]))
print("go", flush=True)
while True:
    word = SimpleNamespace(passed=True, reasons=(), mean={}, strain=0.5)
    setup = Setup(OnnxMaker(), {"int8": slow_voice.Fast(pack)}, lambda sessions: word)
    build_voice(pack, Store(Path(sys.argv[2])), setup, lambda what: None, force=True)
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "client/src")))}


def builder(pack: VoicePack, root: Path, limit: int = 0) -> subprocess.Popen[str]:
    """A process that builds and publishes over and over; limit: bytes of a file."""
    command = [sys.executable, "-c", CHILD, str(pack.folder), str(root), str(limit)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=ENVIRONMENT)


def test_a_disk_that_is_full_leaves_the_old_engines(
    tmp_path: Path, pack: VoicePack, setup: Setup
) -> None:
    """The kernel refuses to write more than so many bytes of a file, as a full disk does."""
    store = Store(tmp_path)
    before = build(pack, store, setup)
    largest = max(engine.bytes for engine in before.engines.values())
    with builder(pack, tmp_path, largest - 1) as process:
        _, told = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "free some space" in told.splitlines()[-1]
    assert store.read(pack) == before
    assert stale(pack, store, setup) == {}


def test_a_builder_killed_at_any_moment_leaves_a_whole_store(
    tmp_path: Path, pack: VoicePack
) -> None:
    store, dice = Store(tmp_path), random.Random(0)
    published = 0
    for _ in range(5):
        with builder(pack, tmp_path) as process:
            assert process.stdout
            assert process.stdout.readline() == "go\n", process.communicate()[1]
            time.sleep(dice.uniform(0.0, 2.0))
            process.send_signal(signal.SIGKILL)
        manifest = store.read(pack)  # raises if it is broken
        for engine in manifest.engines.values() if manifest else ():
            published += 1
            if engine.file:
                store.data(pack, engine)  # raises if it is not whole
    assert published
    with store.lock(pack):  # nobody holds it any more
        pass


def test_what_was_made_before_an_interruption_is_not_made_again(tmp_path: Path) -> None:
    shop = Workshop(tmp_path / "work")
    assert shop.get("key", ".plan") is None
    path = shop.put("key", ".plan", b"whole")
    assert Workshop(tmp_path / "work").get("key", ".plan") == path
    assert shop.get("other", ".plan") is None
    path.write_bytes(b"who")
    assert shop.get("key", ".plan") is None
    assert not path.exists()
    shop.clear()
    assert not shop.folder.exists()


def test_a_workshop_that_cannot_be_written_names_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BuildError, match="--store") as error:
        Workshop(tmp_path / "file").put("key", ".plan", b"x")
    assert error.value.code == "cannot_write"


def plans(pack: VoicePack, **options: Any) -> PlanMaker:
    dimensions = voice_dimensions(pack.file)
    shapes = {n: (profile(m, dimensions[n]),) for n, m in read_graphs(pack).items()}
    return PlanMaker(shapes, library=str(rtx.default_folder()), **options)


def no_gpu(graph: str, file: Path) -> Session:
    assert file.suffix == ".plan"
    assert file.stat().st_size > 1000
    raise StoreError("engine_stale", "there is no GPU here")


def everywhere(backend: Backend) -> tuple[str, str]:
    return here("ort-cpu") if backend == "ort-cpu" else elsewhere(backend)


@pytest.mark.tensorrt
def test_plans_are_built_in_children_and_kept_over_an_interruption(
    trt: Any, tmp_path: Path, pack: VoicePack
) -> None:
    """TensorRT-RTX's plans cannot be run here: all lose, and the voice's own graphs stay."""
    told: list[str] = []
    stopped = Setup(plans(pack), {"fp32": AsItIs()}, deaf, opener=no_gpu, here=everywhere)

    def interrupt(graph: str, file: Path) -> Session:
        if graph == "memory":
            raise KeyboardInterrupt
        return no_gpu(graph, file)

    store = Store(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        build_voice(pack, store, replace(stopped, opener=interrupt), told.append)
    assert store.read(pack) is None
    assert any(line.startswith("encoder: ") and "%" in line for line in told)
    told.clear()
    made = build_voice(pack, store, stopped, told.append)
    again = [line.partition(":")[0] for line in told if "was interrupted" in line]
    assert again == ["encoder", "duration_step", "memory"]
    for engine in made.engines.values():
        assert (engine.backend, engine.file) == ("ort-cpu", "")
        assert [(it.backend, it.code) for it in engine.lost] == [("tensorrt", "engine_stale")]
    assert not (store.folder(pack) / "work").exists()


@pytest.mark.tensorrt
@pytest.mark.parametrize(
    ("limits", "code"),
    [(Limits(time_s=0.2), "build_timeout"), (Limits(memory_mb=20), "build_memory")],
)
def test_a_build_out_of_bounds_is_a_failed_rung(
    trt: Any, tmp_path: Path, pack: VoicePack, limits: Limits, code: str
) -> None:
    setup = Setup(
        plans(pack, limits=limits), {"fp32": AsItIs()}, deaf, opener=no_gpu, here=everywhere
    )
    made = build(pack, Store(tmp_path), setup)
    assert {it.code for engine in made.engines.values() for it in engine.lost} == {code}


def test_keys_do_not_hang_on_bounds_of_time(pack: VoicePack) -> None:
    one, two = plans(pack), plans(pack, limits=Limits(time_s=5.0))
    assert one.made_of("memory") == two.made_of("memory")
    changed_options = replace(one.options, builder_optimization_level=5)
    assert one.made_of("memory") != plans(pack, options=changed_options).made_of("memory")


def test_a_sentence_feeds_every_graph(pack: VoicePack) -> None:
    said = one_sentence(pack, GRAPHS)
    assert all(it.calls for it in said.values())
    assert len({it.seconds for it in said.values()}) == 1
