"""The doctor's sound part, before a real PulseAudio and without one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from daemon.doctor import main
from daemon.sound_check import SENTENCE
from tests.daemon.sink import Sink, playing, samples, sink_of, speech, without_gaps
from tests.daemon.tone import RATE


@pytest.fixture
def sink(folder: Path) -> Iterator[Sink]:
    yield from sink_of(folder)


def doctor(sink: Sink, folder: Path, *options: str) -> tuple[int, str]:
    """Exit code and report of a process of its own: PortAudio reads its world once."""
    command = [sys.executable, "-m", "daemon.doctor", "--endpoint", f"ipc://{folder}/d.sock"]
    done = subprocess.run([*command, *options], env=sink.env, capture_output=True, text=True)
    assert done.stderr == ""
    assert "### sambertd doctor" in done.stdout
    return done.returncode, done.stdout


@pytest.mark.audio
def test_devices_are_listed_and_a_tone_and_a_sentence_are_heard(sink: Sink, folder: Path) -> None:
    with sink.record() as heard:
        code, told = doctor(sink, folder)
    assert code == 0, told
    assert "| pulse |" in told
    assert "(the default) |" in told
    assert "16000, 22050, 24000" in told
    assert f"said: {SENTENCE}" in told
    pcm = samples(heard)
    loud = np.flatnonzero(np.abs(pcm) > 300)
    first = pcm[loud[0] : loud[0] + RATE - 1000]
    spectrum = np.abs(np.fft.rfft(first * np.hanning(len(first))))
    assert float(spectrum.argmax()) * RATE / len(first) == pytest.approx(440, abs=2)
    assert np.abs(first).max() == pytest.approx(3277, abs=50)
    sentence = pcm[loud[0] + RATE :]
    assert np.count_nonzero(np.abs(sentence) > 300) > 0.2 * RATE


@pytest.mark.audio
def test_a_daemon_that_runs_says_the_sentence(sink: Sink, folder: Path) -> None:
    with playing(sink, folder), sink.record() as heard:
        code, told = doctor(sink, folder)
    assert code == 0, told
    assert f"The daemon on ipc://{folder}/d.sock said on" in told
    assert without_gaps(heard[0]) == without_gaps(speech(len(SENTENCE)))


@pytest.mark.audio
def test_silent_looks_and_plays_nothing(sink: Sink, folder: Path) -> None:
    with sink.record() as heard:
        code, told = doctor(sink, folder, "--silent")
    assert (code, "| pulse |" in told) == (0, True)
    assert not samples(heard).any()


@pytest.mark.audio
def test_a_sound_server_that_is_gone_is_told_in_words(sink: Sink, folder: Path) -> None:
    sink.stop()
    code, told = doctor(sink, folder)
    sink.start()
    assert code == 1
    assert "Nothing can be played: " in told


@pytest.mark.audio
def test_a_device_that_is_not_there_is_told_with_those_there_are(sink: Sink, folder: Path) -> None:
    code, told = doctor(sink, folder, "--device", "gramophone")
    assert code == 1
    assert "no sound device is called 'gramophone'; there are: " in told
    assert "'pulse'" in told


def test_a_machine_without_portaudio(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    assert main(["--endpoint", f"ipc://{folder}/d.sock"]) == 1
    told = capsys.readouterr().out
    assert "PortAudio is not installed; run `sudo apt install libportaudio2`." in told
    assert "Nothing can be played: PortAudio is not installed" in told


def test_the_null_device_is_no_success(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["--endpoint", f"ipc://{folder}/d.sock", "--device", "null"]
    assert main(line) == 1
    told = capsys.readouterr().out
    assert "Nobody hears it" in told
    assert f"said: {SENTENCE}" in told


def test_sound_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--no-sound"]) == 0
    told = capsys.readouterr().out
    assert "### sambertd doctor" in told
    assert "Sound" not in told


def test_bad_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(tmp_path / "none.toml")]) == 2
    assert "none.toml" in capsys.readouterr().err


@pytest.mark.audio
def test_the_report_for_programs(sink: Sink, folder: Path) -> None:
    command = [sys.executable, "-m", "daemon.doctor", "--endpoint", f"ipc://{folder}/d.sock"]
    done = subprocess.run(
        [*command, "--json", "--silent"], env=sink.env, capture_output=True, text=True
    )
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"]) == (0, True)
    assert report["machine"]
    (pulse,) = (one for one in report["devices"] if one["name"] == "pulse")
    assert 16000 in pulse["rates"]
    assert pulse["channels"] >= 1


def test_the_report_of_a_gpu_is_not_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--json", "--gpu"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert "--json is not for --gpu" in error["text"]
