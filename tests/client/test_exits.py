"""Every exit code and every `--json` of sambertctl, each against a real daemon."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sambertd_client import Client, cli
from sambertd_client.commands import parser
from sambertd_client.completion.tree import tree
from sambertd_client.exits import EXIT_CODES
from sambertd_client.extras import parsers

from benchmarks import random_voice
from tests.daemon.keeping import Start
from tests.daemon.live import LiveDaemon

ROOT = Path(__file__).resolve().parents[2]
Capture = pytest.CaptureFixture[str]
PUBLIC = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
ASKED = (  # commands that ask a daemon, with arguments it can meet
    ["say", "好", "--out", "OUT/a.wav"],
    ["prefetch", "OUT/lines.txt"],
    ["cancel"],
    ["pause"],
    ["resume"],
    ["voices"],
    ["status"],
    ["engines"],
    ["stats"],
    ["info"],
    ["events", "--count", "1"],
    ["load", "one"],
    ["reload"],
    ["unload", "two"],
)
OTHERS = (
    ["keys", "new", "robot", "--out", "OUT/robot.key"],
    ["keys", "server", "--keys", "OUT/keys"],
    ["keys", "allow", PUBLIC, "--name", "robot", "--keys", "OUT/keys"],
    ["keys", "list", "--keys", "OUT/keys"],
    ["keys", "revoke", "robot", "--keys", "OUT/keys"],
    ["text", "你好"],
    ["doctor", "--no-sound"],
)
WRONG = (
    ["say"],
    ["say", "好", "--speed", "9"],
    ["say", "好", "--follow", "--ssml"],
    ["say", "好", "--follow", "--retry", "5"],
    ["say", "好", "--retry", "-1"],
    ["say", " "],
    ["say", "好" * 20000, "--out", "OUT/a.wav"],
    ["prefetch"],
    ["prefetch", "OUT/gb18030.txt"],
    ["cancel", "--priority", "high"],
    ["pause", "a", "b"],
    ["resume", "--loud"],
    ["voices", "yue"],
    ["status", "--endpoint"],
    ["engines", "x"],
    ["stats", "x"],
    ["info", "x"],
    ["events", "weather"],
    ["load"],
    ["load", "OUT/none"],
    ["unload"],
    ["reload", "x"],
    ["keys", "melt"],
    ["keys", "allow", PUBLIC, "--role", "king"],
    ["text", "--ssml", "<speak"],
    ["text", "好", "--emoji", "eat"],
    ["doctor", "--config", "OUT/none.toml"],
    ["doctor", "--loud"],
    ["completion", "tcsh"],
)
REFUSED = (
    (["say", "好", "--voice", "nobody", "--out", "OUT/b.wav"], "unknown_voice"),
    (["say", "好", "--out", "OUT/none/b.wav"], "file"),
    (["prefetch", "OUT/none.txt"], "file"),
    (["cancel", "x" * 65], "bad_field"),
    (["keys", "new", "robot", "--out", "OUT/none/robot.key"], "key_file"),
    (["keys", "revoke", "nobody", "--keys", "OUT/keys"], "key_file"),
)


@pytest.fixture(scope="module")
def tiny_voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of them: the last one cannot be taken out."""
    folder = tmp_path_factory.mktemp("voices")
    random_voice.write(random_voice.tiny(nsf=False), folder / "one", "one")
    random_voice.write(random_voice.tiny(nsf=False), folder / "two", "two")
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "lines.txt").write_text("你好。\n", "utf-8")
    (tmp_path / "gb18030.txt").write_text("你好。\n", "gb18030")
    return tmp_path


def run(words: list[str], out: Path) -> int:
    """The exit code of a command line in which OUT is a folder."""
    try:
        return cli.main([word.replace("OUT", str(out)) for word in words])
    except SystemExit as ended:  # argparse
        return int(ended.code or 0)


def error_in(told: str) -> dict[str, str]:
    """The one object that is told."""
    (line,) = told.splitlines()
    error: dict[str, str] = json.loads(line)["error"]
    assert error["text"]
    return error


@pytest.fixture
def busy(start_keeping: Start, endpoint: str) -> Iterator[str]:
    """The endpoint of a daemon in which something happens all the time, for `events`."""
    start_keeping()
    ended = threading.Event()

    def talk() -> None:
        while not ended.is_set():
            with Client(endpoint, timeout=30) as client:
                client.say("好。", voice="one").read()

    thread = threading.Thread(target=talk)
    thread.start()
    yield endpoint
    ended.set()
    thread.join(30)


def test_every_command_is_among_those_tried() -> None:
    commands = {command.path for command in tree(parser(), parsers()).all() if not command.commands}
    for tried in ([*ASKED, *OTHERS], WRONG):
        named = {" ".join(words[:2]) if words[0] == "keys" else words[0] for words in tried}
        assert {name.split()[0] for name in commands - named} <= {"completion", "keys"}
    assert {" ".join(words[:2]) for words in OTHERS} >= {c for c in commands if " " in c}


@pytest.mark.parametrize("json_option", [[], ["--json"]])
def test_what_goes_well_is_0_and_json_where_asked_for(
    busy: str, out: Path, json_option: list[str], capsys: Capture
) -> None:
    for words in ASKED:
        assert run([*words, "--endpoint", busy, *json_option], out) == 0, words
        check(capsys.readouterr().out, words, json_option)
    for words in OTHERS:
        assert run([*words, *json_option], out) == 0, words
        check(capsys.readouterr().out, words, json_option)


def check(told: str, words: list[str], json_option: list[str]) -> None:
    assert told.strip(), words
    if json_option:
        assert isinstance(json.loads(told), dict), words


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_what_is_wrong_is_2(
    words: list[str], daemon: LiveDaemon, out: Path, capsys: Capture
) -> None:
    asks = words[0] in ("say", "prefetch", "load") and words[1:] not in ([], ["--endpoint"])
    where = ["--endpoint", daemon.endpoint] if asks else []
    assert run([*words, *where], out) == 2
    assert capsys.readouterr().err.strip()
    assert run([*words, *where, "--json"], out) == 2
    assert error_in(capsys.readouterr().out)["code"]


TEXTS = (
    (["say", " "], "text_empty"),
    (["say", "🙂"], "text_empty"),  # told with `done`
    (["say", "--ssml", "<speak>好"], "bad_ssml"),
    (["say", "--symbols", "zhong9"], "bad_symbols"),
    (["say", "好" * 20000], "text_too_long"),
    (["say", "好", "--reading", "好=zhong9"], "bad_lexicon"),
)


@pytest.mark.parametrize(("words", "code"), TEXTS, ids=[code for _, code in TEXTS])
def test_a_text_that_cannot_be_said_is_2_whoever_finds_out(
    words: list[str], code: str, start_keeping: Start, endpoint: str, out: Path, capsys: Capture
) -> None:
    start_keeping()
    where = ["--endpoint", endpoint, "--out", "OUT/a.wav"]
    assert run([*words, *where], out) == 2
    told = capsys.readouterr().err
    assert f"({code})" in told
    assert ("say --follow" in told) == (code == "text_too_long"), "it would do there"
    assert run([*words, *where, "--json"], out) == 2
    assert error_in(capsys.readouterr().out)["code"] == code


@pytest.mark.parametrize(("words", "seen"), [("say -5度", True), ("say 好 --loud", False)])
def test_a_text_that_looks_like_an_option(
    words: str, seen: bool, out: Path, capsys: Capture
) -> None:
    assert run(words.split(), out) == 2
    told = capsys.readouterr().err
    assert ('write "--"' in told) == seen
    assert "see `sambertctl say --help`" in told


def test_the_help_that_is_named_is_that_of_the_command(out: Path, capsys: Capture) -> None:
    for words in ("keys server --loud", "status --loud", "keys revoke a b"):
        assert run(words.split(), out) == 2
        *command, _ = words.split()[: 3 if words.startswith("keys") else 2]
        assert f"see `sambertctl {' '.join(command)} --help`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, "gone"), (signal.SIGTERM, "shutting_down")]
)
def test_a_daemon_that_ends_meanwhile_is_3(
    number: signal.Signals, code: str, folder: Path, out: Path
) -> None:
    with tone_daemon(folder) as (process, endpoint):
        say = ["say", "慢" * 400, "--endpoint", endpoint, "--out", f"{out}/a.wav", "--json"]
        command = [sys.executable, "-m", "sambertd_client.cli", *say]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as saying:
            with Client(endpoint) as client:
                while not client.status().in_work:
                    assert saying.poll() is None
                    time.sleep(0.01)
            process.send_signal(number)
            told = saying.communicate(timeout=60)[0]
    assert (saying.returncode, error_in(told)["code"]) == (3, code)


def test_say_retry_waits_for_a_daemon_that_comes_or_comes_again(folder: Path, out: Path) -> None:
    endpoint = f"ipc://{folder}/d.sock"
    say = ["say", "慢" * 40, "--endpoint", endpoint, "--retry", "60", "--json"]
    command = [sys.executable, "-m", "sambertd_client.cli", *say]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as saying:
        with tone_daemon(folder, "--device", "null") as (process, _):
            with Client(endpoint) as client:
                while not client.status().in_work:
                    assert saying.poll() is None
                    time.sleep(0.01)
            process.kill()
            process.wait()
        with tone_daemon(folder, "--device", "null"):
            told = saying.communicate(timeout=60)[0]
    assert (saying.returncode, json.loads(told)["why"]) == (0, "end")


def test_say_retry_gives_up_in_time(folder: Path, out: Path, capsys: Capture) -> None:
    began = time.monotonic()
    where = ["--endpoint", f"ipc://{folder}/none.sock"]
    assert run(["say", "好", "--retry", "1", *where], out) == 3
    assert 1 <= time.monotonic() - began < 12  # 10 s where a `sambertd` of somebody's just starts
    assert "no daemon listens" in capsys.readouterr().err


@contextmanager
def tone_daemon(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A daemon with the humming voice as a process of its own, which listens."""
    endpoint = f"ipc://{folder}/d.sock"
    command = [sys.executable, "-m", "tests.daemon.tone_daemon", "--endpoint", endpoint]
    command += options or ("--no-speaker",)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            with Client(endpoint, wait_s=30) as client:
                while client.status().state != "ready":
                    assert process.poll() is None
                    time.sleep(0.02)
            yield process, endpoint
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("words", "code"), REFUSED, ids=lambda it: it if isinstance(it, str) else " ".join(it)[:20]
)
def test_what_is_refused_or_cannot_be_written_is_1(
    words: list[str], code: str, daemon: LiveDaemon, out: Path, capsys: Capture
) -> None:
    where = [] if words[0] == "keys" else ["--endpoint", daemon.endpoint]
    assert run([*words, *where], out) == 1
    assert "sambertctl: " in capsys.readouterr().err
    assert run([*words, *where, "--json"], out) == 1
    assert error_in(capsys.readouterr().out)["code"] == code


def test_a_voice_that_is_not_there_is_1(
    start_keeping: Start, endpoint: str, out: Path, capsys: Capture
) -> None:
    start_keeping()
    for command, code in (("load", "voice_not_found"), ("unload", "unknown_voice")):
        assert run([command, "nobody", "--endpoint", endpoint, "--json"], out) == 1
        assert error_in(capsys.readouterr().out)["code"] == code


@pytest.mark.parametrize("words", ASKED, ids=lambda words: words[0])
def test_no_daemon_is_3(words: list[str], folder: Path, out: Path, capsys: Capture) -> None:
    where = ["--endpoint", f"ipc://{folder}/none.sock"]
    assert run([*words, *where], out) == 3
    assert "no daemon listens" in capsys.readouterr().err
    assert run([*words, *where, "--json"], out) == 3
    assert error_in(capsys.readouterr().out)["code"] == "no_answer"


def test_no_speaker_is_4(daemon: LiveDaemon, out: Path, capsys: Capture) -> None:
    assert run(["say", "好", "--endpoint", daemon.endpoint], out) == 4
    assert "--out FILE.wav" in capsys.readouterr().err
    assert run(["say", "好", "--endpoint", daemon.endpoint, "--json"], out) == 4
    assert error_in(capsys.readouterr().out)["code"] == "speaker_unavailable"


def test_what_was_cancelled_is_5(daemon: LiveDaemon, out: Path, capsys: Capture) -> None:
    codes: list[int] = []
    say = ["say", "慢" * 400, "--endpoint", daemon.endpoint, "--out", "OUT/a.wav", "--json"]
    thread = threading.Thread(target=lambda: codes.append(run(say, out)))
    thread.start()
    with Client(daemon.endpoint) as client:
        while not client.status().in_work:
            time.sleep(0.01)
        client.cancel(scope="all")
    thread.join(30)
    assert codes == [5]
    assert json.loads(capsys.readouterr().out)["why"] == "cancelled"


def test_an_interrupted_one_is_130(daemon: LiveDaemon) -> None:
    command = [sys.executable, "-m", "sambertd_client.cli", "events", "--endpoint", daemon.endpoint]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        with Client(daemon.endpoint) as client:
            while not client.stats().subscribers:
                time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=30)
    assert (process.returncode, told) == (130, (b"", b""))


def test_the_error_goes_where_the_facts_go(daemon: LiveDaemon) -> None:
    """Standard output is the audio's with `--out -`."""
    command = [sys.executable, "-m", "sambertd_client.cli", "say", "好", "--out", "-", "--json"]
    command += ["--voice", "nobody", "--endpoint", daemon.endpoint]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert error_in(done.stderr)["code"] == "unknown_voice"


def test_every_help_has_the_table(capsys: Capture) -> None:
    for command in tree(parser(), parsers()).all():
        assert run([*command.path.split(), "--help"], ROOT) == 0
        told = capsys.readouterr().out
        if command.path == "text":  # asks nobody: it has the lines of codes that happen there
            _, _, told = told.partition("exit codes:")
            assert {line for line in told.splitlines() if line} < set(EXIT_CODES.splitlines())
        else:
            assert EXIT_CODES in told, command.path


@pytest.mark.skipif(shutil.which("man") is None, reason="no man here")
def test_the_manual_has_the_same_table() -> None:
    page = str(ROOT / "systemd/man/sambertctl.1")
    command = ["man", "--no-hyphenation", "-E", "UTF-8", "-l", page]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    manual = " ".join(shown.replace("‐", "-").split())
    lines = re.split(r"\n  (?=\d)|\nWith", EXIT_CODES.replace("`", ""))[1:-1]
    assert len(lines) == 10
    for line in lines:
        assert " ".join(line.split()) in manual
