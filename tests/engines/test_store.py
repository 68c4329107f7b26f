"""Engines on disk: what is published is whole, what is not is never loaded."""

from __future__ import annotations

import hashlib
import multiprocessing
import resource
import sys
from multiprocessing.synchronize import Event
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engines.errors import StoreError
from engines.opening import here, open_engines
from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.store import MANIFEST, Engine, Manifest, Store, default_root, engine_key, pack_digest

YUE = Path(__file__).parents[2] / "voices" / "yue"


@pytest.fixture(scope="module")
def pack() -> VoicePack:
    return VoicePack(YUE)


def engine(data: bytes, file: str = "memory.fp32.onnx", **changes: str) -> Engine:
    device, runtime = here("ort-cpu")
    made = Engine(
        graph="memory",
        backend="ort-cpu",
        precision="fp32",
        key=engine_key(graph="memory"),
        device=device,
        runtime=runtime,
        built="2026-01-01T00:00:00Z",
        file=file,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
    )
    return msgspec.structs.replace(made, **changes)


def published(store: Store, pack: VoicePack, data: bytes, **changes: str) -> Engine:
    made = engine(data, **changes)
    with store.lock(pack):
        store.publish(pack, Manifest("yue", pack_digest(pack), {"memory": made}), {made.file: data})
    return made


def threads(graph: str) -> int:
    return 1


def test_what_was_published_is_opened_and_computes(tmp_path: Path, pack: VoicePack) -> None:
    store = Store(tmp_path)
    published(store, pack, pack.graphs["memory"].read_bytes())
    opened = open_engines(pack, store, threads)
    assert not opened.refused
    feeds = {"memory": np.ones((2, pack.file.acoustic.memory), np.float32)}
    out = opened.sessions["memory"].run(feeds)
    wanted = OrtSession(pack.graphs["memory"], 1).run(feeds)
    np.testing.assert_array_equal(out["memory_kv"], wanted["memory_kv"])


def test_a_session_does_not_keep_the_file_beside_its_weights(pack: VoicePack) -> None:
    data = pack.graphs["memory"].read_bytes()
    before = sys.getrefcount(data)
    session = OrtSession(data, 1)
    assert sys.getrefcount(data) == before
    assert session.state_size == 0


def test_nothing_published_is_no_fault(tmp_path: Path, pack: VoicePack) -> None:
    opened = open_engines(pack, Store(tmp_path / "none"), threads)
    assert (opened.sessions, opened.refused) == ({}, {})


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "empty"])
def test_a_damaged_engine_is_not_loaded(tmp_path: Path, pack: VoicePack, damage: str) -> None:
    store = Store(tmp_path)
    data = pack.graphs["memory"].read_bytes()
    path = store.folder(pack) / published(store, pack, data).file
    if damage == "gone":
        path.unlink()
    else:
        flipped = bytes([data[0] ^ 1]) + data[1:]
        path.write_bytes({"cut": data[:-1], "flip": flipped, "empty": b""}[damage])
    opened = open_engines(pack, store, threads)
    assert opened.sessions == {}
    assert opened.refused["memory"].code == "engine_corrupt"
    assert "again" in str(opened.refused["memory"])


@pytest.mark.parametrize("changes", [{"device": "Orin"}, {"runtime": "onnxruntime 0.1"}])
def test_an_engine_of_another_box_is_stale(
    tmp_path: Path, pack: VoicePack, changes: dict[str, str]
) -> None:
    store = Store(tmp_path)
    published(store, pack, pack.graphs["memory"].read_bytes(), **changes)
    assert open_engines(pack, store, threads).refused["memory"].code == "engine_stale"


def test_a_backend_this_box_lacks_is_refused(tmp_path: Path, pack: VoicePack) -> None:
    store = Store(tmp_path)
    published(store, pack, b"plan", backend="tensorrt")
    assert open_engines(pack, store, threads).refused["memory"].code == "engine_stale"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"voice": 1}', b"\xff"])
def test_a_broken_manifest_is_refused(tmp_path: Path, pack: VoicePack, content: bytes) -> None:
    store = Store(tmp_path)
    store.folder(pack).mkdir(parents=True)
    (store.folder(pack) / MANIFEST).write_bytes(content)
    assert open_engines(pack, store, threads).refused["manifest"].code == "store_broken"


def test_a_path_out_of_the_folder_is_refused(tmp_path: Path, pack: VoicePack) -> None:
    outside = tmp_path / "secret.onnx"
    outside.write_bytes(b"x")
    with pytest.raises(StoreError, match="no file of"):
        Store(tmp_path).data(pack, engine(b"x", file="../secret.onnx"))


def test_old_files_go_once_the_new_manifest_is_there(tmp_path: Path, pack: VoicePack) -> None:
    store = Store(tmp_path)
    old = published(store, pack, b"old", file="a.onnx")
    published(store, pack, b"new", file="b.onnx")
    assert not (store.folder(pack) / old.file).exists()
    manifest = store.read(pack)
    assert manifest is not None
    assert manifest.engines["memory"].file == "b.onnx"


def test_a_full_disk_leaves_the_old_engines(
    tmp_path: Path, pack: VoicePack, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    old = published(store, pack, b"old", file="a.onnx")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engines.store.os.fsync", full)
    with pytest.raises(StoreError) as caught:
        published(store, pack, b"new", file="b.onnx")
    assert caught.value.code == "store_full"
    assert store.data(pack, old) == b"old"
    assert sorted(p.name for p in store.folder(pack).iterdir()) == ["a.onnx", "lock", MANIFEST]


def test_a_full_disk_can_be_cleared(tmp_path: Path, pack: VoicePack) -> None:
    """Not even the lock's owner can be written down."""
    store = Store(tmp_path)
    published(store, pack, b"old", file="a.onnx")
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most[1]))  # EFBIG, as for a quota
    try:
        with store.lock(pack) as folder, pytest.raises(OSError, match="File too large"):
            (folder / "more").write_bytes(b"1")
        store.remove(store.folder(pack))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert not store.folder(pack).exists()


def test_two_builders_do_not_meet(tmp_path: Path, pack: VoicePack) -> None:
    store = Store(tmp_path)
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, held, done))
    other.start()
    try:
        assert held.wait(60)
        with pytest.raises(StoreError, match=str(other.pid)) as caught, store.lock(pack):
            pass
        assert caught.value.code == "store_locked"
    finally:
        done.set()
        other.join()
    with store.lock(pack):  # the kernel has freed it
        pass


def hold(root: Path, held: Event, done: Event) -> None:
    with Store(root).lock(VoicePack(YUE)):
        held.set()
        done.wait(60)


def test_where_engines_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_root({"CACHE_DIRECTORY": "/var/cache/x:/b"}) == Path("/var/cache/x/engines")
    assert default_root({"XDG_CACHE_HOME": "/c"}) == Path("/c/sambertd/engines")
    monkeypatch.setenv("HOME", "/home/robot")
    assert default_root({}) == Path("/home/robot/.cache/sambertd/engines")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.getuid", lambda: 54321)  # whom nobody knows
    assert default_root({}) == Path("/var/cache/sambertd/engines")


def test_a_key_is_of_its_contents() -> None:
    assert engine_key(a=1, b="x") == engine_key(b="x", a=1) != engine_key(a=2, b="x")
