from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tomli_w

from engines.errors import VoiceError
from engines.pack import GRAPHS, VoicePack, fingerprint
from engines.voice import Voice


@pytest.fixture
def pack(plain_pack: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain_pack, tmp_path / "voice"))


def code_of(folder: Path) -> str:
    with pytest.raises(VoiceError) as caught:
        Voice.load(folder)
    return caught.value.code


def edit(pack: Path, old: str, new: str) -> None:
    file = pack / "voice.toml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def test_a_whole_pack_loads(pack: Path) -> None:
    assert set(VoicePack(pack).graphs) == set(GRAPHS)


def test_no_such_folder(tmp_path: Path) -> None:
    assert code_of(tmp_path / "none") == "voice_not_found"


def test_broken_toml(pack: Path) -> None:
    (pack / "voice.toml").write_bytes(b"\xff name =")
    assert code_of(pack) == "voice_broken"


def test_newer_format(pack: Path) -> None:
    edit(pack, "format = 1", "format = 2")
    assert code_of(pack) == "voice_unsupported"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sample_rate = 16000", 'sample_rate = "fast"'),
        ("hop_length = 200\n", ""),
        ("[graphs.vocoder]", "[graphs.other]"),
        ('file = "vocoder.onnx"', 'file = "../vocoder.onnx"'),
        ("frames_per_step = 3", "frames_per_step = 0"),
        ("sample_rate = 16000", "sample_rate = 0"),
    ],
)
def test_wrong_contents(pack: Path, old: str, new: str) -> None:
    edit(pack, old, new)
    assert code_of(pack) == "voice_broken"


def test_missing_graph(pack: Path) -> None:
    (pack / "vocoder.onnx").unlink()
    assert code_of(pack) == "voice_broken"


def test_a_changed_byte_is_noticed(pack: Path) -> None:
    graph = pack / "decoder_step.onnx"
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 1
    graph.write_bytes(data)
    assert code_of(pack) == "voice_hash_mismatch"


def test_a_graph_that_is_none(pack: Path) -> None:
    graph = pack / "vocoder.onnx"
    before = hashlib.sha256(graph.read_bytes()).hexdigest()
    graph.write_bytes(b"not a graph")
    edit(pack, before, hashlib.sha256(b"not a graph").hexdigest())
    assert code_of(pack) == "voice_broken"


@pytest.mark.parametrize(
    ("old", "new"), [("mels = 80", "mels = 70"), ('    "ai_c",\n', ""), ("band = 0", "band = 9")]
)
def test_tables_that_do_not_fit_the_graphs(pack: Path, old: str, new: str) -> None:
    edit(pack, old, new)
    assert code_of(pack) == "voice_hash_mismatch"


def test_names_and_presets_may_be_edited(pack: Path) -> None:
    edit(pack, 'name = "plain"', 'name = "renamed"')
    assert VoicePack(pack).file.name == "renamed"


def test_graphs_that_do_not_fit_their_tables(pack: Path) -> None:
    file = pack / "voice.toml"
    table = tomli_w.dumps(_with_mels(msgspec.toml.decode(file.read_bytes()), 70))
    file.write_text(table, "utf-8")
    with Voice.load(pack) as voice, pytest.raises(VoiceError) as caught:
        voice.warm_up()
    assert caught.value.code == "voice_broken"


def _with_mels(table: dict[str, Any], mels: int) -> dict[str, Any]:
    table["acoustic"]["mels"] = mels
    table["fingerprint"] = fingerprint(table)
    return table
