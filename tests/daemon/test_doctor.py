"""The doctor's sound part, before a real PulseAudio and without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sambertd_client import Client

from daemon.config import SpeakerConfig
from daemon.doctor import main
from daemon.pcm import pcm_s16le
from daemon.sound_check import daemon_speaks
from daemon.sound_trial import SENTENCE
from daemon.tone import tone
from tests.daemon.live import LiveDaemon
from tests.daemon.sink import Sink, playing, samples, sink_of, speech, wait_until, without_gaps
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
def test_a_daemon_that_runs_plays_the_tone_and_says_the_sentence(sink: Sink, folder: Path) -> None:
    with playing(sink, folder), sink.record() as heard:
        code, told = doctor(sink, folder)
    assert code == 0, told
    at = f"The daemon on ipc://{folder}/d.sock"
    assert f"{at} played a tone of 440 Hz for 1 s." in told
    assert f"{at} said: {SENTENCE}" in told
    assert "open: 16000 Hz, latency" in told
    both = pcm_s16le(tone(RATE)) + speech(len(SENTENCE))
    assert without_gaps(heard[0]) == without_gaps(both)


@pytest.mark.audio
@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("cancel", "played a tone of 440 Hz for 1 s: not to its end, somebody cancelled it"),
        ("lose", "could not speak: "),
    ],
)
def test_what_ends_early_is_no_success(sink: Sink, folder: Path, what: str, words: str) -> None:
    with playing(sink, folder) as client:
        command = [sys.executable, "-m", "daemon.doctor", "--endpoint", client.endpoint]
        with subprocess.Popen(
            command, env=sink.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            with client.subscribe("started") as events:
                next(iter(events))
            if what == "lose":
                sink.stop()
            else:
                client.cancel(scope="all")
            told, complaints = process.communicate(timeout=60)
        if what == "lose":
            sink.start()
    assert (process.returncode, complaints) == (1, "")
    assert words in told


def test_a_daemon_without_a_speaker_is_told(
    daemon: LiveDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--endpoint", daemon.endpoint]) == 1
    assert f"The daemon on {daemon.endpoint} has no speaker: " in capsys.readouterr().out


def test_a_daemon_that_hangs_is_told(
    start_daemon: Callable[..., LiveDaemon],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("daemon.server.STALL_S", 0.4)
    live, go_on = start_daemon(), threading.Event()
    chunk = live.voice._chunk
    monkeypatch.setattr(live.voice, "_chunk", lambda *a: (go_on.wait(30), chunk(*a))[1])
    with Client(live.endpoint) as client:
        speech = client.say("好")
        wait_until(lambda: bool(client.status().stalled))
        assert main(["--endpoint", live.endpoint]) == 1
        go_on.set()
        assert speech.read()
    assert "hangs: the engine gives no sign of life." in capsys.readouterr().out


def test_a_daemon_from_before_the_tone_says_the_sentence(
    start_daemon: Callable[..., LiveDaemon],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    live = start_daemon(SpeakerConfig(device="null"))
    monkeypatch.setattr("daemon.reports.CAPABILITIES", ("priority", "key"))
    main(["--endpoint", live.endpoint])
    told = capsys.readouterr().out
    assert "too old to play a tone; restart it" in told
    assert f"said: {SENTENCE}" in told


def test_a_daemon_this_user_may_not_talk_to_is_told(daemon: LiveDaemon) -> None:
    path = Path(daemon.endpoint.removeprefix("ipc://"))
    path.parent.chmod(0o711)
    path.chmod(0)
    told: list[str] = []
    root = os.geteuid() == 0  # who may talk to everybody
    if root:
        os.seteuid(65534)
    try:
        assert not daemon_speaks(daemon.endpoint, told.append)
    finally:
        if root:
            os.seteuid(0)
    (words,) = told
    assert words.startswith("A daemon may have the device: no permission to talk to ")


def test_a_daemon_that_plays_to_nobody_is_no_success(
    start_daemon: Callable[..., LiveDaemon], capsys: pytest.CaptureFixture[str]
) -> None:
    live = start_daemon(SpeakerConfig(device="null"))
    assert main(["--endpoint", live.endpoint]) == 1
    told = capsys.readouterr().out
    assert f"said: {SENTENCE}" in told
    assert "Nobody hears it: its settings or their fallback lead to the device null." in told


def test_the_settings_of_the_service_count_unless_others_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "sambertd.toml"
    path.write_text('[speaker]\ndevice = "null"\n', "utf-8")
    monkeypatch.setattr("daemon.doctor.SYSTEM_CONFIG", path)
    assert main(["--endpoint", f"ipc://{folder}/d.sock"]) == 1
    told = capsys.readouterr().out
    assert f"The settings are those of {path}." in told
    assert "Nobody hears it" in told
    path.write_text("[speaker]\nloudness = 11\n", "utf-8")
    assert main([]) == 2
    assert "loudness" in capsys.readouterr().err


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
