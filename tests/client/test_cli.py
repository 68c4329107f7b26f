"""`sambertctl` against a real daemon, and starting one of its own."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from sambertd_client import Client, cli
from sambertd_client.commands import OURS
from sambertd_client.endpoint import is_listening

from tests.daemon.live import LiveDaemon

PYTHON = sys.executable
ROOT = Path(__file__).resolve().parents[2]
Capture = pytest.CaptureFixture[str]


def length(path: Path) -> int:
    with wave.open(str(path)) as wav:
        return int(wav.getnframes())


def test_say_writes_a_file_and_reports(daemon: LiveDaemon, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "a.wav"
    arguments = ["say", "今天好", "--endpoint", daemon.endpoint, "--out", str(out)]
    assert cli.main([*arguments, "--emotion", "happy", "--speed", "1.2"]) == 0
    assert length(out) == 3 * 800
    said = capsys.readouterr().out
    assert f"wrote {out}: 0.15 s of speech by voice tone" in said
    assert "first audio after" in said
    assert "real-time factor 0." in said
    assert daemon.voice.plans[0].emotion == "happy"


def test_say_as_json(daemon: LiveDaemon, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "a.wav"
    assert cli.main(["say", "好", "--endpoint", daemon.endpoint, "--out", str(out), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["why"], facts["audio_s"], facts["voice"]) == ("end", 0.05, "tone")
    assert facts["first_audio_ms"] >= facts["first_audio_daemon_ms"] > 0


def test_a_pipe_on_both_ends(daemon: LiveDaemon) -> None:
    command = [sys.executable, "-m", "sambertd_client.cli", "say", "-", "--out", "-"]
    run = subprocess.run(
        [*command, "--endpoint", daemon.endpoint],
        input="好好\n".encode(),
        capture_output=True,
        timeout=20,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout[:4] == b"RIFF"
    assert len(run.stdout) == 44 + 3 * 1600
    assert b"first audio after" in run.stderr


def test_no_speaker_is_told_and_the_fallback_is_written(
    daemon: LiveDaemon, tmp_path: Path, capsys: Capture
) -> None:
    arguments = ["say", "好", "--endpoint", daemon.endpoint]
    assert cli.main(arguments) == 4
    assert "switched off by the settings" in capsys.readouterr().err
    fallback = tmp_path / "speech.wav"
    assert cli.main([*arguments, "--fallback", str(fallback)]) == 0
    said = capsys.readouterr()
    assert "no speaker: the speaker is switched off" in said.err
    assert f"wrote {fallback}" in said.out
    assert length(fallback) == 800


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["say", "😀"], 2, "text_empty"),
        (["say", " "], 2, "text_empty"),
        (["say", "好", "--voice", "x"], 1, "choose of: tone (unknown_voice)"),
        (["say", "好" * 30000], 2, "at most 65536 go in one; split the text (text_too_long)"),
    ],
)
def test_a_refusal_is_told_and_no_file_is_touched(
    daemon: LiveDaemon,
    tmp_path: Path,
    capsys: Capture,
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    out = tmp_path / "old.wav"
    out.write_text("old")
    assert cli.main([*arguments, "--endpoint", daemon.endpoint, "--out", str(out)]) == code
    assert words in capsys.readouterr().err
    assert out.read_text() == "old"


def test_a_file_that_cannot_be_written(daemon: LiveDaemon, capsys: Capture) -> None:
    out = "/proc/none/a.wav"
    assert cli.main(["say", "好" * 50, "--endpoint", daemon.endpoint, "--out", out]) == 1
    assert out in capsys.readouterr().err


def test_no_daemon(folder: Path, capsys: Capture) -> None:
    for command in (["say", "好"], ["voices"], ["status"], ["engines"], ["cancel"], ["info"]):
        assert cli.main([*command, "--endpoint", f"ipc://{folder}/none.sock"]) == 3
        assert "no daemon listens on" in capsys.readouterr().err


def test_voices_status_and_info(daemon: LiveDaemon, capsys: Capture) -> None:
    endpoint = ["--endpoint", daemon.endpoint]
    for command, words in (
        ("voices", "tone (default): zh-CN, 16000 Hz, CC0"),
        ("status", "no speaker: the speaker is switched off"),
        ("info", "at most 2000 characters"),
    ):
        assert cli.main([command, *endpoint]) == 0
        assert words in capsys.readouterr().out
        assert cli.main([command, *endpoint, "--json"]) == 0
        assert isinstance(json.loads(capsys.readouterr().out), dict)


def test_cancel_ends_the_speech_of_others(
    daemon: LiveDaemon, tmp_path: Path, capsys: Capture
) -> None:
    codes: list[int] = []
    say = ["say", "慢" * 200, "--endpoint", daemon.endpoint, "--out", str(tmp_path / "a.wav")]
    speaking = threading.Thread(target=lambda: codes.append(cli.main(say)))
    speaking.start()
    with Client(daemon.endpoint) as client:
        while not client.status().in_work:
            time.sleep(0.01)
    assert cli.main(["cancel", "--endpoint", daemon.endpoint]) == 0
    speaking.join(10)
    assert codes == [5]
    assert "cancelled 1" in capsys.readouterr().out


def test_what_was_cancelled_before_its_first_sound_is_not_said_to_be_written(
    start_daemon: Callable[..., LiveDaemon], tmp_path: Path, capsys: Capture
) -> None:
    daemon, out, codes = start_daemon(in_work=1, waiting=1), tmp_path / "a.wav", list[int]()
    say = ["say", "好", "--endpoint", daemon.endpoint, "--out", str(out)]
    with Client(daemon.endpoint) as client, client.say("慢" * 200):
        speaking = threading.Thread(target=lambda: codes.append(cli.main(say)))
        speaking.start()
        while not client.status().waiting:
            time.sleep(0.01)
        client.cancel(scope="all")
        speaking.join(10)
    assert codes == [5]
    assert "wrote nothing: 0.00 s" in capsys.readouterr().out
    assert not out.exists()


@pytest.fixture
def nobody() -> Iterator[None]:
    """As a user who may not write what root made."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.parametrize("options", [[], ["--autostart"]])
def test_a_socket_of_others_is_told(
    folder: Path, nobody: None, capsys: Capture, options: list[str]
) -> None:
    path = folder / "d.sock"
    if os.geteuid() == os.stat(folder).st_uid:
        with socket.socket(socket.AF_UNIX) as link:
            link.bind(str(path))
        path.chmod(0)
    assert cli.main(["say", "好", "--endpoint", f"ipc://{path}", *options]) == 3
    assert "join the group of its socket" in capsys.readouterr().err


@pytest.fixture
def sambertd_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `sambertd` beside a Python: the humming one."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    command = python.with_name("sambertd")
    command.write_text(
        f'#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m tests.daemon.tone_daemon "$@"\n'
    )
    command.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    return command


def test_autostart_starts_a_daemon_shows_it_and_stops_it(
    sambertd_here: Path, folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TONE_NO_PORTAUDIO", "1")
    monkeypatch.setenv("TONE_LOAD_S", "0.5")
    endpoint, out = f"ipc://{folder}/d.sock", folder / "speech.wav"
    say = ["say", "你好", "--endpoint", endpoint, "--autostart", "--fallback", str(out)]
    assert cli.main(say) == 0
    said = capsys.readouterr()
    assert "starting sambertd\nloading voice tone\n" in said.err
    assert "sudo apt install libportaudio2" in said.err
    assert length(out) == 2 * 800
    assert not is_listening(endpoint)


def test_autostart_uses_a_daemon_that_runs_and_leaves_it(
    daemon: LiveDaemon, sambertd_here: Path, tmp_path: Path
) -> None:
    sambertd_here.unlink()
    out = str(tmp_path / "a.wav")
    assert cli.main(["say", "好", "--endpoint", daemon.endpoint, "--autostart", "--out", out]) == 0
    assert is_listening(daemon.endpoint)


def test_a_daemon_that_fails_to_start_is_quoted(
    sambertd_here: Path, folder: Path, capsys: Capture
) -> None:
    sambertd_here.write_text("#!/bin/sh\necho 'no voice pack here' >&2; exit 4\n")
    assert cli.main(["say", "好", "--endpoint", f"ipc://{folder}/d.sock", "--autostart"]) == 3
    assert "exit code 4:\nno voice pack here" in capsys.readouterr().err


def test_a_started_daemon_does_not_speak_for_us_to_systemd(
    sambertd_here: Path, folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.setenv(name, "ours")
    sambertd_here.write_text("#!/bin/sh\nenv | grep ours >&2; echo $HOME is kept >&2; exit 4\n")
    assert cli.main(["say", "好", "--endpoint", f"ipc://{folder}/d.sock", "--autostart"]) == 3
    assert f"exit code 4:\n{os.environ['HOME']} is kept" in capsys.readouterr().err


def test_without_sambertd_the_cure_is_named(
    sambertd_here: Path, folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sambertd_here.unlink()
    monkeypatch.setenv("PATH", "/nowhere")
    assert cli.main(["say", "好", "--endpoint", f"ipc://{folder}/d.sock", "--autostart"]) == 3
    assert "pip install ./client '.[cpu]'" in capsys.readouterr().err


def test_a_daemon_that_is_just_starting_is_waited_for(
    tmp_path: Path, folder: Path, capsys: Capture
) -> None:
    """As in `sambertd & sambertctl say ...`."""
    sambertd = tmp_path / "sambertd"
    sambertd.write_text(
        f"#!{PYTHON}\nimport runpy, sys, time\nsys.path.insert(0, {str(ROOT)!r})\ntime.sleep(0.5)\n"
        "runpy.run_module('tests.daemon.tone_daemon', run_name='__main__')\n"
    )
    sambertd.chmod(0o755)
    endpoint, out = f"ipc://{folder}/d.sock", str(folder / "a.wav")
    say = ["say", "好", "--endpoint", endpoint, "--out", out]
    with subprocess.Popen([str(sambertd), "--endpoint", endpoint, "--no-speaker"]) as process:
        try:
            assert cli.main(say) == 0
            assert capsys.readouterr().err.count("waiting for sambertd to listen\n") == 1
        finally:
            process.terminate()
    began = time.monotonic()
    assert cli.main(say) == 3
    assert time.monotonic() - began < 1, "it has ended: nobody is waited for"


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--speed", "7", "argument --speed: '7' is not a number from 0.5 to 2"),
        ("--speed", "nan", "argument --speed"),
        ("--pitch", "-12.5", "argument --pitch: '-12.5' is not a number from -12 to 12"),
        ("--volume", "loud", "argument --volume: 'loud' is not a number from 0 to 2"),
        ("--out", "", "argument --out: is empty"),
        ("--fallback", "", "argument --fallback: is empty"),
    ],
)
def test_a_bad_option_is_told(option: str, value: str, words: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["say", "好", option, value])
    assert words in capsys.readouterr().err


def test_a_text_may_start_with_a_dash(daemon: LiveDaemon, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "a.wav"
    say = ["say", "--endpoint", daemon.endpoint, "--pitch", "-2.5", "--out", str(out), "--"]
    assert cli.main([*say, "-5℃"]) == 0
    assert length(out) == 3 * 800
    with pytest.raises(SystemExit, match="0"):
        cli.main(["say", "--help"])
    assert 'sambertctl say -- "-5℃"' in capsys.readouterr().out


def test_version(capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"sambertctl {metadata.version('sambertd-client')}\n"


def test_help_names_the_exit_codes(capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["say", "--help"])
    assert "4  the daemon has no usable speaker" in capsys.readouterr().out


def test_stdin_is_read_for_a_dash(
    daemon: LiveDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("好好好".encode())))
    out = tmp_path / "a.wav"
    assert cli.main(["say", "-", "--endpoint", daemon.endpoint, "--out", str(out)]) == 0
    assert length(out) == 3 * 800


def test_text_that_is_not_utf8_is_refused(daemon: LiveDaemon, tmp_path: Path) -> None:
    out = tmp_path / "a.wav"
    say = [PYTHON, "-m", "sambertd_client.cli", "say", "--endpoint", daemon.endpoint]
    bad = "你好".encode("gb18030")
    for arguments, stdin, words in (
        ([bad], b"", "argument TEXT: is not UTF-8"),
        (["好", "--voice", b"\xff"], b"", "argument --voice: is not UTF-8"),
        (["-"], bad, "standard input is not UTF-8 (0xc4 at byte 0)"),
    ):
        command: list[str | bytes] = [*say, "--out", str(out), *arguments]
        run = subprocess.run(command, input=stdin, capture_output=True, timeout=20)
        assert run.returncode == 2
        assert words in run.stderr.decode()
        assert b"Traceback" not in run.stderr
    assert not out.exists()


def test_a_file_whose_name_is_not_utf8(daemon: LiveDaemon, tmp_path: Path) -> None:
    out = bytes(tmp_path) + b"/\xff.wav"
    say = [PYTHON, "-m", "sambertd_client.cli", "say", "好", "--endpoint", daemon.endpoint]
    command: list[str | bytes] = [*say, "--out", out]
    run = subprocess.run(command, capture_output=True, timeout=20)
    assert (run.returncode, run.stderr) == (0, b"")
    assert "\ufffd.wav" in run.stdout.decode()
    assert length(Path(os.fsdecode(out))) == 800


def test_a_command_of_another_package_runs(tmp_path: Path) -> None:
    """A distribution that is only a folder with an entry point, as pip would install it."""
    (tmp_path / "greeter.py").write_text("def main(argv):\n    print('hi', *argv)\n    return 9\n")
    info = tmp_path / "greeter-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greeter\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[sambertctl.commands]\ngreet = greeter:main\n")
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
    done = run(
        [sys.executable, "-m", "sambertd_client.cli", "greet", "you"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (9, "hi you\n"), done.stderr


def test_a_terminated_sambertctl_leaves_no_daemon_behind(sambertd_here: Path, folder: Path) -> None:
    endpoint = f"ipc://{folder}/d.sock"
    say = ["say", "慢" * 200, "--autostart", "--out", "-", "--endpoint", endpoint]
    program = (
        f"import sys; sys.executable = {str(sambertd_here.with_name('python'))!r}\n"
        f"from sambertd_client.cli import main; sys.exit(main({say!r}))"
    )
    environ = {**os.environ, "TONE_NO_PORTAUDIO": "1"}
    with subprocess.Popen([PYTHON, "-c", program], env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"RIFF"
        process.terminate()
        process.stdout.read()
    assert process.returncode == 128 + 15
    assert not is_listening(endpoint)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["events", "--count", "0"], "argument --count: '0' is not a whole number of 1 or more"),
        (["events", "--count", "-1"], "argument --count: "),
        (["events", "--count", "1.5"], "argument --count: '1.5' is not a whole number"),
        (["events", "foo"], "'foo' is no kind of event; name one of accepted, started"),
        (["say", "好", "--raw"], "--rate and --raw are of a file; name one with --out"),
        (["say", "好", "--rate", "8000"], "--rate and --raw are of a file; name one with --out"),
        (["status", "--endpoint", "foo"], "'foo' is not an endpoint; write ipc:///path"),
        (["say", "好", "--endpoint", "tcp://box"], "'tcp://box' is not an endpoint; write ipc://"),
        (["nosuch"], "'nosuch' is no command; choose of say, prefetch, "),
    ],
)
def test_what_is_wrong_is_told_with_what_is_right(
    words: list[str], told: str, capsys: Capture
) -> None:
    try:
        code = cli.main(words)
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 2
    assert told in capsys.readouterr().err


def test_an_unknown_command_is_told_all_that_there_are(capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["nosuch"])
    told = capsys.readouterr().err.rpartition("choose of ")[2]
    known = told.partition("; see `sambertctl --help`")[0].split(", ")
    assert set(known) >= {*OURS, "text", "doctor"}
    assert len(known) == len(set(known))


def piped(endpoint: str, *words: str) -> subprocess.Popen[bytes]:
    command = [PYTHON, "-m", "sambertd_client.cli", *words, "--endpoint", endpoint]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_who_stops_reading_audio_has_it_cancelled(daemon: LiveDaemon) -> None:
    with piped(daemon.endpoint, "say", "慢" * 400, "--out", "-") as saying:
        assert saying.stdout is not None
        assert saying.stderr is not None
        assert saying.stdout.read(100)[:4] == b"RIFF"
        saying.stdout.close()
        assert (saying.wait(30), saying.stderr.read()) == (141, b"")
    with Client(daemon.endpoint) as client:
        assert (client.status().cancelled, client.status().in_work) == (1, 0)


def test_who_stops_reading_events_ends_them_quietly(daemon: LiveDaemon) -> None:
    with piped(daemon.endpoint, "events", "done") as watching, Client(daemon.endpoint) as client:
        assert watching.stdout is not None
        assert watching.stderr is not None
        while not client.stats().subscribers:
            time.sleep(0.01)
        client.say("好").read()
        assert b" done " in watching.stdout.readline()
        watching.stdout.close()  # and nothing more happens
        assert (watching.wait(30), watching.stderr.read()) == (141, b"")


@pytest.mark.parametrize("words", [["status"], ["status", "--json"], ["text", "好"]])
def test_what_nobody_reads_at_all(daemon: LiveDaemon, words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [PYTHON, "-m", "sambertd_client.cli", *words]
    environ = {**os.environ, "SAMBERTD_ENDPOINT": daemon.endpoint}
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environ, timeout=30)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
