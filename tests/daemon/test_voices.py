"""Loading real packs, of random weights: what is wrong with one costs no other."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import random_voice
from daemon.config import EngineConfig
from daemon.voices import Shelf, load_voices
from engines.errors import VoiceError
from engines.style import Style


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = random_voice.tiny(nsf=False)
    return random_voice.write(models, tmp_path_factory.mktemp("pack") / "one", "one")


def load(folder: Path, default: str = "") -> Shelf:
    engines = EngineConfig(store=folder / "engines")
    return load_voices(folder, default, engines, 2, lambda _: None)


def speaks(shelf: Shelf, name: str) -> bool:
    voice = shelf.voices[name]
    plan = voice.plan("好", Style(), "use", markup="text", marks=())
    return any(len(c.pcm) for c in voice.stream(plan, lambda: False))


def no_toml(pack: Path) -> None:
    (pack / "voice.toml").write_bytes(b"\xff\xfe")


def changed_graph(pack: Path) -> None:
    (pack / "vocoder.onnx").write_bytes((pack / "postnet.onnx").read_bytes())


def missing_graph(pack: Path) -> None:
    (pack / "memory.onnx").unlink()


def nonsense_graph(pack: Path) -> None:
    """As whoever made the pack signed it."""
    graph, toml = pack / "vocoder.onnx", (pack / "voice.toml").read_text("utf-8")
    good = hashlib.sha256(graph.read_bytes()).hexdigest()
    graph.write_bytes(b"not a graph")
    bad = hashlib.sha256(b"not a graph").hexdigest()
    (pack / "voice.toml").write_text(toml.replace(good, bad), "utf-8")


def newer_format(pack: Path) -> None:
    toml = (pack / "voice.toml").read_text("utf-8")
    (pack / "voice.toml").write_text(toml.replace("format = 1", "format = 99"), "utf-8")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (no_toml, "voice_broken"),
        (changed_graph, "voice_hash_mismatch"),
        (missing_graph, "voice_broken"),
        (nonsense_graph, "voice_broken"),
        (newer_format, "voice_unsupported"),
    ],
)
def test_a_bad_pack_is_named_and_the_good_one_serves(
    pack: Path, tmp_path: Path, spoil: Callable[[Path], None], code: str
) -> None:
    shutil.copytree(pack, tmp_path / "one")
    spoil(shutil.copytree(pack, tmp_path / "bad"))
    shelf = load(tmp_path)
    assert [(broken.path, broken.code) for broken in shelf.broken] == [(f"{tmp_path}/bad", code)]
    assert f"{tmp_path}/bad" in shelf.broken[0].text
    assert list(shelf.voices) == ["one"]
    assert speaks(shelf, "one")
    shelf.close()


def test_only_bad_packs_are_told(pack: Path, tmp_path: Path) -> None:
    missing_graph(shutil.copytree(pack, tmp_path / "bad"))
    with pytest.raises(VoiceError, match="copy the whole pack again"):
        load(tmp_path)


def test_two_packs_of_one_name_are_told_and_the_first_serves(pack: Path, tmp_path: Path) -> None:
    shutil.copytree(pack, tmp_path / "a")
    shutil.copytree(pack, tmp_path / "b")
    shelf = load(tmp_path, "one")
    (broken,) = shelf.broken
    assert (broken.path, broken.code) == (f"{tmp_path}/b", "voice_broken")
    for part in (f"{tmp_path}/a", f"{tmp_path}/b", "'one'"):
        assert part in broken.text
    assert speaks(shelf, "one")
    shelf.close()
    assert not [thread for thread in threading.enumerate() if "decoder-one" in thread.name]
