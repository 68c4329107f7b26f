"""Files made to break an import: an error with a code, and nothing else."""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trt_build.kantts_voices import change_params, model, write_zip
from trt_build.__main__ import main
from trt_build.export.acoustic_graph import export_acoustic
from trt_build.export.checkpoint import load_generator, load_sambert
from trt_build.export.checkpoint_file import read_checkpoint
from trt_build.export.config import read_yaml
from trt_build.export.errors import ExportError
from trt_build.export.vocoder_graph import export_vocoder
from trt_build.importing.archive import unpack

QUICK = settings(deadline=None, max_examples=60)
SCALARS = st.sampled_from(
    [
        "2022-13-45",
        "!!int x",
        "!!float zz",
        "!!timestamp 1",
        "!!binary é",
        "!!python/object/apply:os.system [ls]",
        "*gone",
        "&a [*a]",
        "1e999999",
        ".inf",
        "? {}",
        "{[]: 1}",
        "<<: 5",
        "-1",
        "0",
        "10000000000000",
        "null",
        "'' ''",
        "[" * 3000,
    ]
)


def code_of(work: Callable[[], object]) -> str:
    """The code of the refusal; empty where there is none. Anything else is a failure."""
    try:
        work()
    except ExportError as error:
        return error.code
    return ""


@QUICK
@given(key=st.sampled_from(["Model", "create_time", "x"]), value=SCALARS)
def test_yaml(key: str, value: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(f"{key}: {value}\n", "utf-8")
        assert code_of(lambda: read_yaml(path)) in ("", "config_unreadable")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair that could be imported."""
    work = tmp_path_factory.mktemp("pair")
    model("sambert_16k", work / "am")
    model("hifigan_v1_16k", work / "voc")
    return work


VALUES: st.SearchStrategy[object] = st.one_of(
    st.sampled_from([None, "abc", -3, 0, 10**13, 0.5, float("nan"), [], {}, [0], [[0]], True]),
    st.integers(-5, 70),
)


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_values_of_a_config(pair: Path, data: st.DataObject) -> None:
    """A model that can be made of them can be exported."""
    which = data.draw(st.sampled_from(["am", "voc"]))
    (section,) = read_yaml(pair / which / "config.yaml")["Model"].values()
    name = data.draw(st.sampled_from(sorted(section["params"])))
    with tempfile.TemporaryDirectory() as folder:
        broken = Path(shutil.copytree(pair / which, Path(folder) / which))
        change_params(broken, **{name: data.draw(VALUES)})
        assert not code_of(lambda: exported(broken)).startswith("cannot_")


def exported(folder: Path) -> None:
    if folder.name == "am":
        export_acoustic(load_sambert(folder))
    else:
        export_vocoder(load_generator(folder))


@pytest.mark.parametrize("name", ["channels", "out_channels", "kernel_size"])
def test_layers_without_weights_are_refused_without_a_warning(
    pair: Path, tmp_path: Path, name: str
) -> None:
    voc = Path(shutil.copytree(pair / "voc", tmp_path / "voc"))
    change_params(voc, **{name: 1 if name == "channels" else 0})
    assert code_of(lambda: exported(voc))


@pytest.mark.parametrize("value", [0, 5, -1, 10**6, "abc", None, 0.5, float("nan"), True, [2]])
@pytest.mark.parametrize(
    "name", ["encoder_num_heads", "decoder_num_heads", "pnca_band", "postnet_shift", "max_len"]
)
def test_sizes_that_weights_do_not_show(pair: Path, tmp_path: Path, name: str, value: Any) -> None:
    am = Path(shutil.copytree(pair / "am", tmp_path / "am"))
    change_params(am, **{name: value})
    told = code_of(lambda: exported(am))
    fine = value == 5 or (value == 0 and name in ("pnca_band", "postnet_shift"))
    if name.endswith("heads") or not fine:
        assert told == "config_unreadable"


@pytest.mark.parametrize("value", [0, 1, 0.2, -0.5])
def test_any_slope_is_a_number(pair: Path, tmp_path: Path, value: float) -> None:
    voc = Path(shutil.copytree(pair / "voc", tmp_path / "voc"))
    change_params(voc, nonlinear_activation_params={"negative_slope": value})
    exported(voc)


def checkpoint() -> bytes:
    file = io.BytesIO()
    torch.save({"model": {"a.weight": torch.arange(6.0)}}, file)
    return file.getvalue()


@QUICK
@given(data=st.data())
def test_bytes_of_a_checkpoint(data: st.DataObject) -> None:
    good = checkpoint()
    kind = data.draw(st.sampled_from(["noise", "cut", "changed"]))
    if kind == "noise":
        content = data.draw(st.binary(max_size=200))
    elif kind == "cut":
        content = good[: data.draw(st.integers(0, len(good) - 1))]
    else:
        at = data.draw(st.integers(0, len(good) - 1))
        content = good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint_1.pth"
        path.write_bytes(content)
        code = code_of(lambda: read_checkpoint(path, "model"))
        assert code.startswith("checkpoint_") or (not code and kind == "changed")


@pytest.mark.parametrize("text", ["I am text", "\x80\x02}q", "(lp0\n.", "cos\nsystem\n(S'ls'\ntR."])
def test_files_that_look_like_pickles(tmp_path: Path, text: str) -> None:
    path = tmp_path / "checkpoint_1.pth"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ExportError) as caught:
        read_checkpoint(path, "model")
    assert caught.value.code in ("checkpoint_unreadable", "checkpoint_mismatch")


@pytest.mark.parametrize("names", [["."], ["./"], ["a", "a/b"], ["x" * 300], ["a\0b"], ["//"]])
def test_names_in_a_zip(tmp_path: Path, names: list[str]) -> None:
    path = write_zip(tmp_path / "a.zip", dict.fromkeys(names, b"x"))
    code = code_of(lambda: unpack(path, tmp_path / "out"))
    assert code in ("", "archive_unsafe", "archive_unreadable")
    inside = [p for p in tmp_path.rglob("*") if tmp_path / "out" not in (p, *p.parents)]
    assert inside == [path]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@QUICK
@given(data=st.data())
def test_bytes_of_a_zip(method: int, data: st.DataObject) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        made.writestr("am/config.yaml", b"Model: {}\n" * 40)
    good = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.zip"
        path.write_bytes(good)
        code = code_of(lambda: unpack(path, Path(folder) / "out"))
        assert code in ("", "archive_unsafe", "archive_unreadable")


def test_what_may_not_be_read_is_not_told_as_what_may_not_be_written(
    pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = Path(shutil.copytree(pair, tmp_path / "work"))
    (work / "am" / "ckpt" / "checkpoint_0.pth").unlink()
    (work / "am" / "ckpt" / "checkpoint_0.pth").mkdir()
    assert main(["import", str(work), "--out", str(tmp_path / "v")]) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert "checkpoint_0.pth" in told
    assert told.endswith("[cannot_read]")
    assert not (tmp_path / "v").exists()
