"""All graphs of a voice, each up its ladder, then together; what wins is published."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from engines.errors import StoreError
from engines.opening import here
from engines.ort_session import OrtSession
from engines.pack import GRAPHS, VoicePack
from engines.session import Session
from engines.store import Backend, Engine, Manifest, Precision, Store, engine_key, pack_digest
from engines.voice import RuntimeOptions
from trt_build.errors import BuildError
from trt_build.graph_file import read_graph
from trt_build.ladder import Climb, Entry, Gate, Rung, Say, climb, judge
from trt_build.makers import Maker
from trt_build.rungs import Candidate, Recipe
from trt_build.stopwatch import Spoken, spoken
from trt_build.workshop import FOLDER, Workshop

FORMAT = 1  # of keys; another one makes every engine stale
TEXT = "你好，我是你的语音助手，很高兴为你服务，请问有什么可以帮你？"
Opener = Callable[[str, Path], Session]
Recorder = Callable[[VoicePack, Collection[str]], Mapping[str, Spoken]]


def ort_cpu(graph: str, file: Path) -> Session:
    """A graph's session on ONNX Runtime's CPU provider, as the daemon has it."""
    return OrtSession(file, RuntimeOptions().threads(graph))


def one_sentence(pack: VoicePack, graphs: Collection[str]) -> Mapping[str, Spoken]:
    """What these graphs are fed for a sentence of a robot."""
    return spoken(pack, [TEXT], graphs)


@dataclass(frozen=True, slots=True)
class Setup:
    """How to build. recipes: by precision, in the order they are tried.

    judged_by: all the gate's verdict depends on besides the engines. opener: loads what the maker
    made. record: what graphs are fed for a sentence. here: device and runtime of a backend.
    prepare: makes what recipes need, once the store is this builder's.
    """

    maker: Maker
    recipes: Mapping[Precision, Recipe]
    gate: Gate
    judged_by: str = ""
    opener: Opener = ort_cpu
    record: Recorder = one_sentence
    here: Callable[[Backend], tuple[str, str]] = here
    prepare: Callable[[], None] = lambda: None


@dataclass(slots=True)
class _State:
    """A build under way."""

    pack: VoicePack
    store: Store
    setup: Setup
    shop: Workshop
    say: Say
    keys: dict[str, str]
    kept: dict[str, Engine] = field(default_factory=dict)
    climbs: dict[str, Climb] = field(default_factory=dict)


def stale(pack: VoicePack, store: Store, setup: Setup) -> dict[str, str]:
    """The graphs that must be built, and why."""
    keys, manifest = _keys(pack, setup), _read(store, pack)
    whys = {name: _why(pack, store, manifest.engines.get(name), keys[name]) for name in GRAPHS}
    return {name: why for name, why in whys.items() if why}


def build_voice(
    pack: VoicePack, store: Store, setup: Setup, say: Say, *, force: bool = False
) -> Manifest:
    """Build what is not there or stale, and publish it with what is.

    Of a graph none of whose engines is faster and passes, the voice pack's own is named.
    Interrupted at any moment, it leaves the engines that were published before as they were, and
    the next call goes on with what was built. force: build everything anew.

    Raises:
        BuildError: disk_full, cannot_write; prove_missing.
        StoreError: store_locked, store_full, store_unwritable.
        EngineError: the voice is broken.
    """
    with store.lock(pack) as folder, ExitStack() as stack:
        setup.prepare()
        manifest = _read(store, pack)
        todo = dict.fromkeys(GRAPHS, "forced") if force else stale(pack, store, setup)
        if not todo:
            say("nothing to build: all engines are as they would be built now")
            return manifest
        shop = Workshop(folder / FOLDER)
        kept = {name: e for name, e in manifest.engines.items() if name not in todo}
        state = _State(pack, store, setup, shop, say, _keys(pack, setup), kept)
        said = setup.record(pack, list(todo))
        for number, (graph, why) in enumerate(todo.items(), 1):
            say(f"graph {number} of {len(todo)}: {graph} ({why})")
            state.climbs[graph] = climb(
                graph, _own(pack, graph), _rungs(state, graph), said[graph], setup.gate, say
            )
            state.climbs[graph].close()  # until all are heard together; a GPU may be small
            stack.callback(state.climbs[graph].close)
        quality = _together(state, stack)
        made, files = _published(state, quality)
        store.publish(pack, made, files)
        shop.clear()
        return made


def _together(state: _State, stack: ExitStack) -> dict[str, float]:
    """Gate all winners at once, and give up the worst of them until they pass; the figures."""
    for graph, engine in state.kept.items():
        state.climbs[graph] = Climb(graph, [*_reused(state, engine), _own(state.pack, graph)])
        stack.callback(state.climbs[graph].close)
    gate = state.setup.gate
    while True:
        winners = {
            graph: it.winner for graph, it in state.climbs.items() if it.winner.file is not None
        }
        if not winners:
            return {}
        if len(winners) == 1:
            (graph,) = winners
            verdict = state.climbs[graph].judged(gate)
        else:
            state.say(f"listening to all {len(winners)} engines together")
            verdict = judge(gate, winners)
        if verdict.passed:
            return verdict.mean
        worst = max(winners, key=lambda graph: state.climbs[graph].judged(gate).strain)
        state.say(f"together they fail ({'; '.join(verdict.reasons)}): giving up {worst}'s")
        state.climbs[worst].give_up(verdict.reasons, gate, state.say)


def _rungs(state: _State, graph: str) -> Iterator[Rung]:
    """The ladder of one graph; each rung is made when it is asked for."""
    maker = state.setup.maker
    for precision, recipe in state.setup.recipes.items():
        if (maker.backend, precision) != ("ort-cpu", "fp32"):  # that is the voice pack's own
            make = partial(_entries, state, graph, precision, recipe)
            yield Rung(maker.backend, precision, make)


def _entries(state: _State, graph: str, precision: Precision, recipe: Recipe) -> list[Entry]:
    """All candidates of one rung, built."""
    state.say(f"{graph} {precision}: making it")
    candidates: Sequence[Candidate] = recipe(graph, read_graph(state.pack.graphs[graph]))
    if not candidates:
        raise BuildError("nothing_to_change", f"{graph} has nothing that {precision} changes")
    setup, out = state.setup, []
    for candidate in candidates:
        key = engine_key(
            **_made_of(state.pack, setup, graph),
            precision=precision,
            recipe=recipe.made_of(graph),
            note=candidate.note,
        )
        file = setup.maker.make(state.shop, key, graph, candidate.model, state.say)
        opener = partial(setup.opener, graph, file)
        out.append(Entry(setup.maker.backend, precision, file, opener, candidate.note))
    return out


def _own(pack: VoicePack, graph: str) -> Entry:
    return Entry("ort-cpu", "fp32", None, partial(ort_cpu, graph, pack.graphs[graph]))


def _reused(state: _State, engine: Engine) -> list[Entry]:
    """An engine that is still good, as what stands first."""
    if not engine.file:
        return []
    file = state.store.folder(state.pack) / engine.file
    opener = partial(state.setup.opener, engine.graph, file)
    return [Entry(engine.backend, engine.precision, file, opener, time_ms=engine.time_ms)]


def _published(state: _State, quality: dict[str, float]) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest, and the files that are new."""
    engines, files = {}, {}
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    for graph in GRAPHS:
        it, kept = state.climbs[graph], state.kept.get(graph)
        if kept is not None and bool(kept.file) == (it.winner.file is not None):
            engines[graph] = kept
            continue
        device, runtime = state.setup.here(it.winner.backend)
        engine = Engine(
            graph=graph,
            backend=it.winner.backend,
            precision=it.winner.precision,
            key=state.keys[graph],
            device=device,
            runtime=runtime,
            built=now,
            time_ms=round(it.winner.time_ms, 3),
            quality=it.winner.verdict.mean if it.winner.verdict else {},
            lost=(*(kept.lost if kept else ()), *it.lost),
        )
        if it.winner.file is not None:
            data = it.winner.file.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            name = f"{graph}-{engine.precision}-{digest[:12]}{it.winner.file.suffix}"
            engine = replace(engine, file=name, sha256=digest, bytes=len(data))
            files[name] = data
        engines[graph] = engine
    return Manifest(state.pack.file.name, pack_digest(state.pack), engines, quality), files


def _made_of(pack: VoicePack, setup: Setup, graph: str) -> dict[str, object]:
    """What every engine of a graph is made of, whatever its precision."""
    return {
        "format": FORMAT,
        "graph": graph,
        "onnx": pack.file.graphs[graph].sha256,
        "backend": setup.maker.backend,
        "here": setup.here(setup.maker.backend),
        "options": setup.maker.made_of(graph),
    }


def _keys(pack: VoicePack, setup: Setup) -> dict[str, str]:
    """By graph what its choice of an engine depends on."""
    return {
        graph: engine_key(
            **_made_of(pack, setup, graph),
            recipes={name: recipe.made_of(graph) for name, recipe in setup.recipes.items()},
            judged_by=setup.judged_by,
        )
        for graph in GRAPHS
    }


def _read(store: Store, pack: VoicePack) -> Manifest:
    """What is published, or nothing; a manifest that cannot be read is nothing."""
    try:
        found = store.read(pack)
    except StoreError:
        found = None
    return found or Manifest(pack.file.name, pack_digest(pack), {})


def _why(pack: VoicePack, store: Store, engine: Engine | None, key: str) -> str:
    """Why a graph must be built; empty if it need not."""
    if engine is None:
        return "not built yet"
    if engine.key != key:
        return "voice, device, version or options have changed"
    if engine.file:
        try:
            store.data(pack, engine)
        except StoreError as error:
            return str(error)
    return ""
