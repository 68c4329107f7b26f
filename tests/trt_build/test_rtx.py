"""TensorRT-RTX is fetched by pip, whole or not at all; the index here is a folder."""

from __future__ import annotations

import hashlib
import platform
import sys
import zipfile
from pathlib import Path

import pytest

from tests.trt_build.golden_graphs import BUILT_IN, ROOT
from trt_build import rtx
from trt_build.__main__ import main
from trt_build.errors import BuildError

HERE = f"{sys.version_info[0]}{sys.version_info[1]}"
MODULE = f"tensorrt_rtx_cu13_bindings-{rtx.VERSION}-cp{HERE}-none-any.whl"
LIBRARIES = f"onnxruntime_ep_nv_tensorrt_rtx_cu13-{rtx.LIBRARIES_VERSION}-py3-none-any.whl"
CONTENTS = {
    MODULE: {
        "tensorrt_rtx_bindings/__init__.py": "from .tensorrt_rtx import *\n",
        f"tensorrt_rtx_cu13_bindings-{rtx.VERSION}.dist-info/licenses/LICENSE.txt": "NVIDIA's",
    },
    LIBRARIES: {
        "onnxruntime_ep_nv_tensorrt_rtx/libtensorrt_rtx.so.1.7.1": "builder",
        "onnxruntime_ep_nv_tensorrt_rtx/libtensorrt_onnxparser_rtx.so.1.7.1": "parser",
        "onnxruntime_ep_nv_tensorrt_rtx/libtensorrt_plugins.so": "not needed",
    },
}

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="NVIDIA publishes TensorRT-RTX for x86-64 alone"
)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that pip knows of: a folder with two wheels laid out as NVIDIA's, their sums pinned."""
    folder = tmp_path / "index"
    folder.mkdir()
    sums = {}
    for name, files in CONTENTS.items():
        stem = "-".join(name.split("-")[:2])
        about = name.split("-")[0].replace("_", "-"), name.split("-")[1]
        with zipfile.ZipFile(folder / name, "w") as wheel:
            for path, text in files.items():
                wheel.writestr(path, text)
            metadata = "Metadata-Version: 2.1\nName: {}\nVersion: {}\n".format(*about)
            wheel.writestr(f"{stem}.dist-info/METADATA", metadata)
            wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\n")
            wheel.writestr(f"{stem}.dist-info/RECORD", "")
        sums[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(rtx, "MODULE_SHA256", {f"{HERE[0]}.{HERE[1:]}": sums[MODULE]})
    monkeypatch.setattr(rtx, "LIBRARIES_SHA256", sums[LIBRARIES])
    pip_knows(monkeypatch, PIP_FIND_LINKS=str(folder), PIP_NO_INDEX="1")
    return folder


def pip_knows(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    settings = {"PIP_CONFIG_FILE": "/dev/null", "PIP_RETRIES": "0", "PIP_TIMEOUT": "1", **settings}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


def test_fetch_lays_the_module_out(
    wheels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "venv" / "rtx"
    assert not rtx.is_fetched(folder)
    rtx.fetch(folder)
    assert rtx.is_fetched(folder)
    home = folder / "tensorrt_rtx_bindings"
    assert {path.name for path in home.iterdir()} == {
        "__init__.py",
        "libtensorrt_rtx.so.1",
        "libtensorrt_onnxparser_rtx.so.1",
    }
    assert (home / "libtensorrt_rtx.so.1").read_text() == "builder"
    assert (folder / "LICENSE.txt").read_text() == "NVIDIA's"
    assert [path.name for path in folder.parent.iterdir()] == ["rtx"]
    assert "NVIDIA's licence" in capsys.readouterr().err
    rtx.fetch(folder)
    assert capsys.readouterr().err == ""


def test_an_older_version_is_replaced(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "rtx"
    (folder / rtx.PACKAGE).mkdir(parents=True)
    (folder / "version").write_text("1.0\n")
    (folder / rtx.PACKAGE / "left-over").touch()
    rtx.fetch(folder)
    assert rtx.is_fetched(folder)
    assert not (folder / rtx.PACKAGE / "left-over").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "rtx"]


@pytest.mark.parametrize("other", [[], ["version"], ["version", "LICENSE.txt"]])
def test_a_folder_of_somebody_else_is_left_alone(
    wheels: Path, tmp_path: Path, other: list[str]
) -> None:
    """Also one that has a file of the name by which an earlier download is known."""
    folder = tmp_path / "papers"
    folder.mkdir()
    for name in ("thesis.txt", *other):
        (folder / name).touch()
    for taken in (folder, folder / "thesis.txt"):
        with pytest.raises(BuildError, match=r"left alone.*--library") as caught:
            rtx.fetch(taken)
        assert caught.value.code == "folder_taken"
    assert sorted(path.name for path in folder.iterdir()) == sorted(["thesis.txt", *other])


def test_a_folder_that_cannot_be_written(wheels: Path) -> None:
    """Nobody makes folders in /proc, root neither."""
    with pytest.raises(BuildError, match="--library") as caught:
        rtx.fetch(Path("/proc/tensorrt-rtx"))
    assert caught.value.code == "folder_unwritable"


def test_a_file_that_is_not_the_pinned_one_is_refused(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtx, "LIBRARIES_SHA256", "0" * 64)
    with pytest.raises(BuildError, match="HASHES") as error:
        rtx.fetch(tmp_path / "rtx")
    assert error.value.code == "download_failed"
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_a_version_that_is_gone_is_no_lack_of_network(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtx, "VERSION", "9.9.9")
    with pytest.raises(BuildError, match=r"9\.9\.9") as error:
        rtx.fetch(tmp_path / "rtx")
    assert error.value.code == "download_failed"


def test_no_network_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_knows(monkeypatch, PIP_INDEX_URL="http://127.0.0.1:9/simple")
    with pytest.raises(BuildError, match="try again with a network") as error:
        rtx.fetch(tmp_path / "rtx")
    assert error.value.code == "download_offline"


def test_a_name_that_does_not_resolve_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip_knows(monkeypatch, PIP_INDEX_URL="https://pypi.invalid/simple", HTTPS_PROXY="")
    with pytest.raises(BuildError) as error:
        rtx.fetch(tmp_path / "rtx")
    assert error.value.code == "download_offline"


def test_another_machine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(BuildError, match="run this check on x86-64 Linux") as error:
        rtx.fetch(tmp_path / "rtx")
    assert error.value.code == "platform_unsupported"


def test_a_broken_library_names_the_cure(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == rtx.PACKAGE]:
        monkeypatch.delitem(sys.modules, name)
    rtx.fetch(tmp_path / "rtx")
    with pytest.raises(BuildError, match=r"delete .* and fetch it again") as error:
        rtx.load(tmp_path / "rtx")
    assert error.value.code == "library_broken"
    assert rtx.PACKAGE not in sys.modules


def test_check_without_the_library_names_the_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    voice = str(ROOT / BUILT_IN)
    assert main(["check", voice, "--library", str(tmp_path / "none")]) == 1
    err = capsys.readouterr().err
    assert "fetch it with --fetch" in err
    assert err.endswith("[library_missing]\n")
