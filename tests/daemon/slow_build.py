"""A build as `daemon.building` asks for it, with a known outcome.

`python -m tests.daemon.slow_build OUTCOME SECONDS PACK STORE`: it says how far it is, waits, and
publishes every graph of the pack as an engine: another file with the same weights.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import numpy as np
import onnx
from onnx import numpy_helper

from engines.opening import here
from engines.pack import VoicePack
from engines.store import Engine, Manifest, Store, engine_key, pack_digest
from trt_build.progress import Progress

Publish = Callable[[VoicePack, Store], None]
BUILT = "2026-01-02T03:04:05Z"


def resaved(pack: VoicePack, graph: str, mark: str = "again") -> bytes:
    """The graph as another file with the same weights."""
    model = onnx.load(pack.graphs[graph])
    model.producer_name = mark
    return bytes(model.SerializeToString())


def not_a_number(pack: VoicePack) -> bytes:
    """A vocoder that computes NaN wherever its largest weight counts."""
    model = onnx.load(pack.graphs["vocoder"])
    largest = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weights = numpy_helper.to_array(largest)
    largest.CopyFrom(numpy_helper.from_array(np.full_like(weights, np.nan), largest.name))
    return bytes(model.SerializeToString())


def engine(graph: str, data: bytes) -> Engine:
    """The record of an engine on ONNX Runtime; without data the pack's own graph won."""
    device, runtime = here("ort-cpu")
    digest = hashlib.sha256(data).hexdigest() if data else ""
    return Engine(
        graph=graph,
        backend="ort-cpu",
        precision="fp32",
        key=engine_key(graph=graph, data=digest),
        device=device,
        runtime=runtime,
        built=BUILT,
        file=f"{graph}-{digest[:8]}.onnx" if data else "",
        sha256=digest,
        bytes=len(data),
        time_ms=1.5,
        quality={"mcd_db": 0.0},
    )


def publish(store: Store, pack: VoicePack, graphs: Mapping[str, bytes], **changes: str) -> None:
    """Publish these engines as all there are."""
    engines = {name: engine(name, data) for name, data in graphs.items()}
    changed = {n: msgspec.structs.replace(made, **changes) for n, made in engines.items()}
    files = {made.file: graphs[name] for name, made in engines.items() if made.file}
    with store.lock(pack):
        manifest = Manifest(pack.file.name, pack_digest(pack), changed)
        store.publish(pack, manifest, files)


def good(pack: VoicePack, store: Store) -> None:
    publish(store, pack, {name: resaved(pack, name) for name in pack.graphs})


def on_demand(pack: VoicePack, store: Store) -> None:
    """Good, once the file `go` is there."""
    while not (store.root / "go").exists():
        time.sleep(0.02)
    good(pack, store)


def refused(pack: VoicePack, store: Store) -> None:
    print("build: the pack has no calibration.txt; write one [calibration_missing]")
    sys.exit(1)


def locked(pack: VoicePack, store: Store) -> None:
    """As where somebody builds by hand."""
    text = f"process 7 already builds the engines in {store.root}; wait for it, or stop it"
    print(f"build: {text} [store_locked]")
    sys.exit(1)


def killed(pack: VoicePack, store: Store) -> None:
    """While it writes an engine."""
    with store.lock(pack) as folder:
        (folder / ".new-half").write_bytes(b"half an engine")
        os.kill(os.getpid(), signal.SIGKILL)


def corrupt(pack: VoicePack, store: Store) -> None:
    """Cut off by a full disk, as seen by whoever comes first."""
    with store.lock(pack):
        data = resaved(pack, "vocoder")
        manifest = Manifest(pack.file.name, pack_digest(pack), {"vocoder": engine("vocoder", data)})
        store.publish(pack, manifest, {manifest.engines["vocoder"].file: data[:-1]})


def stale(pack: VoicePack, store: Store) -> None:
    publish(store, pack, {"vocoder": resaved(pack, "vocoder")}, device="another processor")


def foreign(pack: VoicePack, store: Store) -> None:
    publish(store, pack, {"vocoder": resaved(pack, "vocoder")}, backend="tensorrt")


def unfit(pack: VoicePack, store: Store) -> None:
    publish(store, pack, {"vocoder": resaved(pack, "postnet")})


def nan(pack: VoicePack, store: Store) -> None:
    publish(store, pack, {"vocoder": not_a_number(pack)})


def no_manifest(pack: VoicePack, store: Store) -> None:
    with store.lock(pack) as folder:
        (folder / "manifest.json").write_bytes(b'{"voice": ')


def endless(pack: VoicePack, store: Store) -> None:
    """With a child of its own that holds its pipe."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    (store.root / "pids").write_text(f"{os.getpid()} {child.pid}")
    time.sleep(300)


def orphaning(pack: VoicePack, store: Store) -> None:
    """Ends, and leaves a child that holds its pipe."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    (store.root / "pids").write_text(str(child.pid))


def priority(pack: VoicePack, store: Store) -> None:
    score = Path("/proc/self/oom_score_adj").read_text("ascii").strip()
    policy, nice = os.sched_getscheduler(0), os.nice(0)
    (store.root / "priority").write_text(f"{policy} {nice} {score}")


OUTCOMES: dict[str, Publish] = {
    outcome.__name__: outcome
    for outcome in (
        good,
        on_demand,
        refused,
        locked,
        killed,
        corrupt,
        stale,
        foreign,
        unfit,
        nan,
        no_manifest,
        endless,
        orphaning,
        priority,
    )
}


def command(outcome: str, seconds: float = 0.0) -> Callable[[Path, Path], list[str]]:
    """For `daemon.building.Builder`."""
    module = [sys.executable, "-m", "tests.daemon.slow_build", outcome, str(seconds)]
    return lambda pack, root: [*module, str(pack), str(root)]


def main() -> None:
    outcome, seconds, pack, root = sys.argv[1:]
    print("words for people")
    say = Progress()
    for number in range(1, 5):
        say(f"graph {number} of 4: making it")
        time.sleep(float(seconds) / 4)
    store = Store(Path(root))
    store.root.mkdir(parents=True, exist_ok=True)
    OUTCOMES[outcome](VoicePack(Path(pack)), store)


if __name__ == "__main__":
    main()
