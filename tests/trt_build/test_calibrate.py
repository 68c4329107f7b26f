"""Calibration: ranges of real runs, the same however often it was interrupted."""

from __future__ import annotations

import hashlib
import io
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from benchmarks import random_voice
from engines.pack import VoicePack
from engines.store import Store
from tests.trt_build.models import Runner
from trt_build import calibration_file
from trt_build.__main__ import main
from trt_build.calibrate import (
    LEAST_SECONDS,
    SAVE_EVERY,
    calibrate,
    observe,
    read_texts,
    stored,
    watched,
)
from trt_build.calibration_file import Calibration
from trt_build.errors import BuildError
from trt_build.eta import Eta
from trt_build.feeds import feeds, record
from trt_build.graph_file import read_graphs

TEXTS = [f"{n}号窗口请注意。" for n in "一二三四五六七八九"] + ["《》"]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> VoicePack:
    folder = tmp_path_factory.mktemp("voices") / "tiny"
    return VoicePack(random_voice.write(random_voice.tiny(), folder, "tiny"))


@pytest.fixture(scope="module")
def whole(pack: VoicePack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibration that ran through."""
    out = tmp_path_factory.mktemp("whole") / "ranges.json"
    calibrate(pack, TEXTS, out, "minmax")
    return out


def with_texts(folder: Path, texts: list[str] = TEXTS) -> Path:
    path = folder / "texts.txt"
    path.write_text("\n".join(texts) + "\n\n", "utf-8")
    return path


def test_observed_ranges_are_those_of_the_values(pack: VoicePack) -> None:
    """Every watched value, against ONNX Runtime's outputs gathered whole."""
    model = read_graphs(pack)["postnet"]
    fed = list(feeds(pack, TEXTS[:2], "postnet"))
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    for name in watched(model):
        shown.graph.output.add(name=name).type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    run = Runner(shown)
    outs = [run.run(one) for one in fed]
    for name, seen in observe(model, fed).items():
        values = np.concatenate([np.abs(out[name]).ravel() for out in outs])
        assert seen.largest == pytest.approx(float(values.max()), rel=1e-4)
        assert seen.total == values.size
        median = float(seen.edges[1:][np.cumsum(seen.counts).searchsorted(seen.total / 2)])
        assert median == pytest.approx(float(np.median(values)), abs=2 * float(seen.edges[1]))


def test_the_file_knows_its_graphs_and_all_that_may_be_quantized(
    pack: VoicePack, whole: Path
) -> None:
    it = calibration_file.read(whole)
    it.check(pack)
    assert (it.voice, it.texts, it.done, it.skipped) == ("tiny", len(TEXTS), len(TEXTS), 1)
    assert it.seconds == pytest.approx(record(pack, TEXTS, (), lambda *_: None))
    for name, model in read_graphs(pack).items():
        assert tuple(it.ranges(name)) == watched(model)
        assert all(0 < x < 1e4 for x in it.ranges(name, "minmax").values())
        for value, (low, high) in it.ends(name, "percentile").items():
            assert low <= 0.0 <= high
            assert max(-low, high) == it.ranges(name, "percentile")[value]
    sums = {name: seen.sha256 for name, seen in it.graphs.items()}
    for name, digest in sums.items():
        assert digest == hashlib.sha256(pack.graphs[name].read_bytes()).hexdigest()


class StoppedError(Exception):
    pass


def test_stopped_again_and_again_it_ends_in_the_same_file(
    pack: VoicePack, whole: Path, tmp_path: Path
) -> None:
    out, told = tmp_path / "ranges.json", list[int]()

    def stop(done: int) -> None:
        told.append(done)
        if len(told) in (3, 3 + SAVE_EVERY + 1):
            raise StoppedError

    for _ in range(2):
        with pytest.raises(StoppedError):
            calibrate(pack, TEXTS, out, "minmax", stop)
        assert not out.exists()
    calibrate(pack, TEXTS, out, "minmax", told.append)
    assert told[:4] == [1, 2, 3, 1], "nothing had been kept yet"
    assert told[-2:] == [SAVE_EVERY + 1, len(TEXTS)], "it went on where it had been kept"
    assert out.read_bytes() == whole.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["ranges.json"]


def test_killed_it_goes_on(pack: VoicePack, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "ranges.json"
    command = [sys.executable, "-m", "trt_build", "calibrate", str(pack.folder)]
    command += ["--out", str(out), "--texts", str(with_texts(tmp_path)), "--method", "minmax"]
    part = tmp_path / "ranges.json.part"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as killed:
        while not part.exists() and killed.poll() is None:
            time.sleep(0.002)
        killed.send_signal(signal.SIGKILL)
    assert killed.returncode in (-signal.SIGKILL, 0)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert killed.returncode == 0 or f"{len(TEXTS)} of {len(TEXTS)} texts" in done.stderr
    assert out.read_bytes() == whole.read_bytes()


def test_a_part_of_other_texts_is_not_gone_on_with(
    pack: VoicePack, whole: Path, tmp_path: Path
) -> None:
    out, told = tmp_path / "ranges.json", list[int]()
    part = tmp_path / "ranges.json.part"
    for left in (msgspec.structs.replace(calibration_file.read(whole), key="other"), None):
        data = msgspec.json.encode(left) if left else b'{"voice": "cut o'
        part.write_bytes(data)
        told.clear()
        calibrate(pack, TEXTS, out, "minmax", told.append)
        assert told[0] == 1
        assert out.read_bytes() == whole.read_bytes()
        out.unlink()


def test_a_finished_one_is_used_and_another_method_takes_no_speaking(
    pack: VoicePack, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "ranges.json"
    out.write_bytes(whole.read_bytes())
    before = out.stat()
    told: list[int] = []
    calibrate(pack, TEXTS, out, "minmax", told.append)
    assert out.stat().st_ino == before.st_ino
    it = calibrate(pack, TEXTS, out, "percentile", told.append)
    assert not told
    assert calibration_file.read(out) == it
    assert it.ranges("vocoder") == calibration_file.read(whole).ranges("vocoder", "percentile")


def test_texts_that_are_too_little_say_how_much_is_wanted(
    pack: VoicePack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = with_texts(tmp_path, ["好。"])
    out = tmp_path / "ranges.json"
    args = ["calibrate", str(pack.folder), "--out", str(out), "--texts", str(short)]
    assert main(args) == 1
    told = capsys.readouterr().err
    assert "[too_short]" in told
    assert f"{LEAST_SECONDS:.0f} s at least" in told
    with_texts(tmp_path, ["《》"] * 9)
    assert main(args) == 1
    assert "9 of 9 texts hold nothing to speak" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["texts.txt"]


@pytest.mark.parametrize("data", [None, b"", b" \n\n \n", "你好。".encode("gbk")])
def test_no_texts(pack: VoicePack, tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "texts.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(BuildError, match="UTF-8 file with one sentence a line") as error:
        read_texts(path)
    assert error.value.code == "no_texts"


def test_no_calibration_text_in_the_voice(
    pack: VoicePack, capsys: pytest.CaptureFixture[str]
) -> None:
    """A random voice has none."""
    (pack.folder / "calibration.txt").unlink(missing_ok=True)
    assert main(["calibrate", str(pack.folder), "--sentences", "3"]) == 1
    assert "[no_texts]" in capsys.readouterr().err


def broken(pack: VoicePack, folder: Path, graph: str, weight: str, value: float) -> VoicePack:
    """A copy of a voice with one weight that is out of its mind."""
    copy = random_voice.write(random_voice.tiny(), folder / "broken", "broken")
    path = copy / f"{graph}.onnx"
    old = path.read_bytes()
    model = onnx.load(str(path))
    (tensor,) = (t for t in model.graph.initializer if t.name == weight)
    values = numpy_helper.to_array(tensor).copy()
    values.flat[0] = value
    tensor.CopyFrom(numpy_helper.from_array(values, weight))
    new = model.SerializeToString()
    path.write_bytes(new)
    toml = (copy / "voice.toml").read_text("utf-8")
    before, after = (hashlib.sha256(data).hexdigest() for data in (old, new))
    (copy / "voice.toml").write_text(toml.replace(before, after), "utf-8")
    return VoicePack(copy)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_ranges_that_are_no_numbers_name_the_value_and_the_graph(
    pack: VoicePack, tmp_path: Path, value: float
) -> None:
    bad = broken(pack, tmp_path, "vocoder", "conv_pre.conv1d.bias", value)
    with pytest.raises(BuildError, match=r"value upsample_0\S+ in graph vocoder holds") as error:
        calibrate(bad, TEXTS, tmp_path / "ranges.json")
    assert error.value.code == "range_not_finite"
    assert not (tmp_path / "ranges.json").exists()


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))


def test_a_full_disk(pack: VoicePack, tmp_path: Path) -> None:
    """Files cannot grow past a limit, as on a disk that is full."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "trt_build", "calibrate", str(pack.folder), "--store"]
    command += [str(out), "--texts", str(with_texts(tmp_path))]
    done = subprocess.run(command, preexec_fn=limited, capture_output=True, text=True)
    assert done.returncode == 1
    assert "[disk_full]" in done.stderr
    assert "free some space" in done.stderr
    assert not [path for path in out.rglob("*") if path.is_file()]


def test_a_place_that_may_not_be_written(pack: VoicePack, whole: Path) -> None:
    with pytest.raises(BuildError, match="/proc/none") as error:
        calibration_file.write(Path("/proc/none/ranges.json"), calibration_file.read(whole))
    assert error.value.code == "cannot_write"


def test_a_calibration_of_other_graphs_is_stale(
    pack: VoicePack, whole: Path, tmp_path: Path
) -> None:
    it = calibration_file.read(whole)
    other = broken(pack, tmp_path, "vocoder", "conv_pre.conv1d.bias", 0.5)
    with pytest.raises(BuildError, match=r"other graphs \(vocoder\)") as error:
        it.check(other)
    assert error.value.code == "calibration_stale"
    with pytest.raises(BuildError, match="not finished"):
        msgspec.structs.replace(it, done=3).check(pack)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (None, "calibration_missing"),
        (b"", "calibration_broken"),
        (b"{}", "calibration_broken"),
        (b'{"voice": "v", "key": "", "method": "magic", "texts": 1, "graphs": {}}', None),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, data: bytes | None, code: str | None) -> None:
    path = tmp_path / "ranges.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(BuildError) as error:
        calibration_file.read(path)
    assert error.value.code == (code or "calibration_broken")


def test_a_damaged_histogram_and_a_newer_format_are_refused(whole: Path, tmp_path: Path) -> None:
    it = calibration_file.read(whole)
    name = next(iter(it.graphs["memory"].values))
    bad = msgspec.structs.replace(it.graphs["memory"].values[name], counts=b"none")
    it.graphs["memory"].values[name] = bad
    with pytest.raises(BuildError) as error:
        it.ranges("memory")
    assert error.value.code == "calibration_broken"
    path = tmp_path / "ranges.json"
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(it, format=99)))
    with pytest.raises(BuildError, match="format 99"):
        calibration_file.read(path)


def test_the_command_of_the_built_in_voice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    yue = Path(__file__).parents[2] / "voices" / "yue"
    args = ["calibrate", str(yue), "--store", str(tmp_path), "--sentences", "4"]
    assert main(args) == 0
    out, err = capsys.readouterr()
    path = stored(Store(tmp_path), VoicePack(yue), read_texts(yue / "calibration.txt", 4))
    assert out.startswith(f"{path}: ")
    it: Calibration = calibration_file.read(path)
    assert it.seconds > LEAST_SECONDS
    table = [line.split()[0] for line in out.splitlines()[3:]]
    assert table == ["encoder", "duration_step", "memory", "decoder_step", "postnet", "vocoder"]
    assert "4 of 4 texts" in err


def test_a_plot_of_the_ranges(
    pack: VoicePack, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, plot = tmp_path / "ranges.json", tmp_path / "ranges.png"
    out.write_bytes(whole.read_bytes())
    args = ["calibrate", str(pack.folder), "--out", str(out), "--texts", str(with_texts(tmp_path))]
    assert main([*args, "--plot", str(plot)]) == 0
    assert "ranges by entropy" in capsys.readouterr().out
    assert main([*args, "--plot", "/proc/none/ranges.png"]) == 1
    assert "[cannot_write]" in capsys.readouterr().err
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_it_says_so(
    pack: VoicePack,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "ranges.json"
    out.write_bytes(whole.read_bytes())
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    args = ["calibrate", str(pack.folder), "--out", str(out), "--texts", str(with_texts(tmp_path))]
    assert main([*args, "--plot", str(tmp_path / "no.png")]) == 0
    assert "not installed; run `pip install matplotlib`" in capsys.readouterr().err


def test_a_count_of_sentences_below_one_is_a_bad_argument(pack: VoicePack) -> None:
    with pytest.raises(SystemExit) as error:
        main(["calibrate", str(pack.folder), "--sentences", "0"])
    assert error.value.code == 2


def test_eta_tells_how_long_it_takes_yet() -> None:
    stream = io.StringIO()
    eta = Eta("texts", 10, done=4, stream=stream, every_s=0.0)
    for done in (5, 10):
        time.sleep(0.02)
        eta(done)
    first, last = stream.getvalue().splitlines()
    assert "5 of 10 texts, 0 s to go" in first
    assert last.endswith("10 of 10 texts")
    quiet = io.StringIO()
    eta = Eta("texts", 1000, stream=quiet, every_s=60.0)
    for done in range(1, 1001):
        eta(done)
    assert len(quiet.getvalue().splitlines()) == 2
