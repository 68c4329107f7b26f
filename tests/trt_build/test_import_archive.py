"""Zip files of strangers."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from tests.trt_build.kantts_voices import modelscope, write_zip, zipped
from trt_build.export.errors import ExportError
from trt_build.importing import archive
from trt_build.importing.archive import unpack
from trt_build.importing.layout import find_voice


def refused(code: str, path: Path, into: Path) -> str:
    with pytest.raises(ExportError) as caught:
        unpack(path, into)
    assert caught.value.code == code
    assert not into.exists()
    return str(caught.value)


def test_what_is_wanted_is_unpacked(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"x/b.txt": b"b", "x/c.bin": b"c"})
    unpack(path, tmp_path / "out", lambda name: name.endswith(".txt"))
    files = [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert [(p.name, p.read_bytes()) for p in files] == [("b.txt", b"b")]


@pytest.mark.parametrize("name", ["/etc/passwd", "../up.txt", "a/../../up", "a\\..\\up", "C:/up"])
def test_paths_outside_the_folder(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "a.zip", {"good.txt": b"good", name: b"bad"})
    assert repr(name) in refused("archive_unsafe", path, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_links(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("voices/passwords")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = write_zip(tmp_path / "a.zip", {link: b"/etc/passwd"})
    assert "a link" in refused("archive_unsafe", path, tmp_path / "out")


def test_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_zip(tmp_path / "a.zip", {"zeros.pth": bytes(10_000_000)})
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(archive, "MAX_BYTES", 9_999_999)  # a real one takes minutes to make
    assert "0.0 GB in 1 files" in refused("archive_unsafe", path, tmp_path / "out")
    assert "MAX" not in refused("archive_unsafe", path, tmp_path / "out")


def test_more_files_than_any_voice_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    path = write_zip(tmp_path / "a.zip", {f"{n}.txt": b"" for n in range(4)})
    refused("archive_unsafe", path, tmp_path / "out")


def test_damaged_and_foreign_files(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"x": b"x" * 1000})
    data = path.read_bytes()
    for wrong in (b"", b"<html>", data[:-10]):
        path.write_bytes(wrong)
        assert "copy it anew" in refused("archive_unreadable", path, tmp_path / "out")
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 99\n")
    assert "git lfs pull" in refused("archive_unreadable", path, tmp_path / "out")


def test_a_member_that_is_not_what_it_says(tmp_path: Path) -> None:
    """Its size is a lie, so it is cut off where it should end, and its checksum is wrong."""
    path = write_zip(tmp_path / "a.zip", {"x.txt": b"y" * 5000})
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    data[central + 24 : central + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(ExportError) as caught:
        unpack(path, tmp_path / "out")
    assert caught.value.code == "archive_unreadable"
    assert sum(p.stat().st_size for p in (tmp_path / "out").rglob("*.txt")) <= 10


def test_a_voice_is_found_in_any_zip(tmp_path: Path) -> None:
    modelscope(tmp_path / "model", "zhitian")
    packed = zipped(tmp_path / "model")
    found = find_voice(packed, tmp_path / "scratch", None)
    assert found.name == "zhitian"
    assert (found.am.folder / "config.yaml").is_file()
    assert found.am.folder.parent == found.voc.folder.parent == found.root


def test_an_unpacked_voice_is_preferred(tmp_path: Path) -> None:
    root = modelscope(tmp_path / "model", "zhitian")
    (root / "voices.zip").write_bytes(b"not even a zip file")
    assert find_voice(root, tmp_path / "scratch", None).root == root / "voices" / "zhitian"
    assert not (tmp_path / "scratch").exists()
