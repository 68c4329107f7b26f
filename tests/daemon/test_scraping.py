"""Metrics over HTTP, of a real daemon: what it counts, and what no scraper can do to it."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from sambertd_client import Client, cli

import daemon.metrics
import daemon.scraping
import daemon.server
from tests.daemon.keeping import Start
from tests.daemon.live import LiveDaemon
from tests.daemon.scraped import Read, asked, connected, scraped
from tests.daemon.test_lost_card import wait_until

StartDaemon = Callable[..., LiveDaemon]
OWN = "sambertd_"


def free_port(family: socket.AddressFamily, host: str) -> str:
    with socket.create_server((host, 0), family=family) as link:
        port = link.getsockname()[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@pytest.fixture(params=["unix", "127.0.0.1", "::1"])
def listen(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "unix":
        return f"unix://{folder / 'metrics.sock'}"
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    try:
        return free_port(family, request.param)
    except OSError:
        pytest.skip(f"this machine has no {request.param}")


@pytest.fixture
def on_file(folder: Path) -> str:
    return f"unix://{folder / 'metrics.sock'}"


@pytest.fixture
def live(start_daemon: StartDaemon, on_file: str) -> LiveDaemon:
    return start_daemon(metrics=on_file)


@pytest.fixture
def client(live: LiveDaemon) -> Iterator[Client]:
    with Client(live.endpoint) as client:
        yield client


def serving() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("metrics-")]


def test_it_is_off_unless_asked_for(daemon: LiveDaemon, folder: Path) -> None:
    assert serving() == []
    assert {path.name for path in folder.iterdir()} == {"d.sock", "d.sock.lock"}
    code = "import daemon.__main__, sys; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0, "it costs nothing"


def test_what_is_scraped_is_what_the_daemon_says(
    start_daemon: StartDaemon, listen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    live = start_daemon(metrics=listen)
    before = scraped(listen)
    assert (before("ready"), before("requests_total"), before("in_work")) == (1, 0, 0)
    assert before("ended_total", why="cancelled") == 0
    with Client(live.endpoint) as client:
        client.say("好" * 4).read()
        speaking = client.say("慢" * 100, sink="none")
        wait_until(lambda: scraped(listen)("in_work") == 1)
        speaking.cancel()
        assert client.say("好").read()
        stats = client.stats()
        seen = scraped(listen)
    assert seen("requests_total") == stats.requests == 3
    assert seen("ended_total", why="end") == stats.ends["end"] == 2
    assert seen("ended_total", why="cancelled") == stats.ends["cancelled"] == 1
    assert seen("speech_seconds_total") == pytest.approx(stats.audio_s)
    assert seen("synthesis_seconds_total") == pytest.approx(stats.synth_s)
    assert seen("first_audio_seconds_count") == sum(stats.first_audio_ms.counts)
    assert seen("first_audio_seconds_sum") == pytest.approx(stats.first_audio_ms.total / 1000)
    assert seen.kinds["process_cpu_seconds"] == "counter"
    assert seen.kinds["python_gc_collections"] == "counter"
    assert cli.main(["stats", "--prometheus", "--endpoint", live.endpoint]) == 0
    written = Read(capsys.readouterr().out)
    ours = {name: kind for name, kind in seen.kinds.items() if name.startswith(OWN)}
    assert ours == written.kinds
    live.stop()
    assert serving() == []
    with pytest.raises(OSError):  # noqa: PT011 - refused, or no such file
        connected(listen)


def test_a_loading_daemon_is_not_ready(
    start_daemon: StartDaemon, on_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    load = daemon.server.Server._load_all
    monkeypatch.setattr(
        daemon.server.Server, "_load_all", lambda self: (go_on.wait(30), load(self))[1]
    )
    live = start_daemon(metrics=on_file, awaited=False)
    wait_until(Path(on_file.removeprefix("unix://")).exists)
    seen = scraped(on_file)
    assert (seen("up"), seen("ready"), seen("voices")) == (1, 0, 0)
    go_on.set()
    with Client(live.endpoint) as client:
        wait_until(lambda: client.status().state == "ready")
    assert scraped(on_file)("ready") == 1


def test_openmetrics_is_spoken_to_who_asks_for_it(client: Client, on_file: str) -> None:
    client.say("好").read()
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    answer, body = asked(on_file, accept=accept)
    assert (answer.headers["Content-Type"] or "").startswith("application/openmetrics-text")
    read = Read(body, open_metrics)
    assert read("requests_total") == read("first_audio_seconds_count") == 1


def test_one_page_and_no_other(client: Client, on_file: str) -> None:
    answer, body = asked(on_file, "/metrics?x=1", "HEAD")
    assert (answer.status, body) == (200, "")
    assert int(answer.headers["Content-Length"] or 0) > 1000
    for path in ("/", "/metrics/", "/../metrics", "/favicon.ico"):
        answer, body = asked(on_file, path)
        assert (answer.status, body) == (404, "the metrics are at /metrics (not_found)\n")
    assert asked(on_file, method="POST")[0].status == 501


@pytest.mark.parametrize(
    "sent", [b"", b"\0\xff\r\n\r\n", b"GET\r\n\r\n", b"GET /metrics HTTP/9\r\n\r\n", b"x" * 100_000]
)
def test_garbage_is_not_answered_with_figures(client: Client, on_file: str, sent: bytes) -> None:
    with connected(on_file) as link:
        try:
            link.sendall(sent)
            link.shutdown(socket.SHUT_WR)
            assert b"sambertd_up" not in link.recv(4096)
        except (BrokenPipeError, ConnectionResetError):
            assert len(sent) > daemon.scraping.MOST_HEAD, "it was cut off"
    assert scraped(on_file)("up") == 1


def test_slow_scrapers_keep_nobody_out(
    client: Client, on_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though they hold all threads, a byte now and then: each has its time, and no more."""
    monkeypatch.setattr(daemon.scraping, "READ_S", 0.5)
    done = threading.Event()
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(on_file)) for _ in range(daemon.scraping.THREADS)]

        def dribble(link: socket.socket) -> None:
            try:
                while not done.wait(0.05):
                    link.sendall(b"G")
            except OSError:
                return

        with ThreadPoolExecutor(len(slow)) as threads:
            for link in slow:
                threads.submit(dribble, link)
            assert client.say("好" * 10).read()
            assert scraped(on_file)("requests_total") == 1
            for link in slow:
                assert link.recv(100) == b"", "it was sent away"
            done.set()


def test_one_that_does_not_read_keeps_nobody_out(
    client: Client, on_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon.scraping, "WRITE_S", 0.5)
    with ExitStack() as stack:
        for _ in range(daemon.scraping.THREADS):
            link = stack.enter_context(connected(on_file))
            link.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert scraped(on_file)("up") == 1


def test_many_scrape_at_once_while_it_speaks(client: Client, on_file: str) -> None:
    speech = client.say("好" * 200, sink="none")
    with ThreadPoolExecutor(8) as threads:
        seen = list(threads.map(lambda _: scraped(on_file), range(40)))
    speech.wait()
    assert {read("requests_total") for read in seen} == {1}
    assert scraped(on_file)("ended_total", why="end") == 1


def test_a_stalled_engine_is_told(
    live: LiveDaemon, client: Client, on_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon.server, "STALL_S", 0.3)
    go_on, chunk = threading.Event(), live.voice._chunk
    monkeypatch.setattr(live.voice, "_chunk", lambda *a: (go_on.wait(60), chunk(*a))[1])
    speech = client.say("好")
    wait_until(lambda: scraped(on_file)("stalled", part="engine") == 1)
    seen = scraped(on_file)
    assert (seen("up"), seen("in_work"), seen("stalled", part="speaker")) == (1, 1, 0)
    go_on.set()
    assert speech.read()
    wait_until(lambda: scraped(on_file)("stalled", part="engine") == 0)


def test_a_loop_that_stands_still_is_no_figures(
    live: LiveDaemon, client: Client, on_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, step = threading.Event(), live.server._service.step
    monkeypatch.setattr(daemon.metrics, "ANSWER_S", 0.3)
    monkeypatch.setattr(live.server._service, "step", lambda: (go_on.wait(60), step())[1])
    wait_until(lambda: asked(on_file)[0].status == 503)
    answer, body = asked(on_file)
    assert (answer.status, "(loop_stalled)" in body) == (503, True)
    go_on.set()
    wait_until(lambda: asked(on_file)[0].status == 200)
    assert client.say("好").read()


def test_the_socket_is_for_the_group_and_gone_with_the_daemon(
    live: LiveDaemon, on_file: str
) -> None:
    path = Path(on_file.removeprefix("unix://"))
    assert stat.filemode(path.stat().st_mode) == "srw-rw----"
    live.stop()
    assert not path.exists()


def test_a_socket_of_a_dead_daemon_is_cleared_away(start_daemon: StartDaemon, on_file: str) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(on_file.removeprefix("unix://"))
    start_daemon(metrics=on_file)
    assert scraped(on_file)("ready") == 1


def refused(start_daemon: StartDaemon, folder: Path, listen: str) -> LiveDaemon:
    """A second daemon, which cannot serve metrics there."""
    live = start_daemon(endpoint=f"ipc://{folder / 'e.sock'}", metrics=listen, awaited=False)
    assert live.join() == 3
    assert not (folder / "e.sock").exists(), "it does not listen"
    return live


def test_where_another_listens_it_ends_and_says_so(
    start_daemon: StartDaemon, listen: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    start_daemon(metrics=listen)
    refused(start_daemon, folder, listen)
    in_use = f"cannot serve metrics on {listen}: Address already in use; choose another metrics"
    taken = f"already serves {folder / 'metrics.sock'}; use it, stop it, or choose another metrics"
    assert (taken if listen.startswith("unix") else in_use) in caplog.text
    assert "(metrics_unavailable)" in caplog.text
    assert scraped(listen)("ready") == 1, "the first one is none the worse for it"


def test_what_is_no_socket_is_left_alone(
    start_daemon: StartDaemon, on_file: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "metrics.sock").write_text("precious")
    refused(start_daemon, folder, on_file)
    assert "is not a socket; move it away or choose another metrics.listen" in caplog.text
    assert (folder / "metrics.sock").read_text() == "precious"


def test_batches_of_a_real_voice_are_told(
    start_keeping: Start, endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Utterances that are open at once share steps of the decoder, and each step counts."""
    start_keeping()
    text = "今天天气真好，阳光洒在窗台上。" * 4
    until = time.monotonic() + 60
    with Client(endpoint) as client:
        fill = client.stats().batch_fill
        assert fill.counts[0] == fill.total > 0, "the trial sentence"
        while not sum(fill.counts[1:]):
            assert time.monotonic() < until, fill
            said = [client.say(text, sink="none", cache="ignore") for _ in range(4)]
            for speech in said:
                speech.wait()
            fill = client.stats().batch_fill
        sizes = [size * count for size, count in enumerate(fill.counts, 1)]
        assert fill.total == sum(sizes)
        assert fill.counts[4:] == [0] * 5, "of four"
    assert cli.main(["stats", "--endpoint", endpoint]) == 0
    steps = sum(fill.counts)
    told = f"decoder: {steps} steps, {fill.total / steps:.2f} utterances in each\n"
    assert told in capsys.readouterr().out


def test_people_read_it_too(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    client.say("好").read()
    assert cli.main(["stats", "--endpoint", client.endpoint]) == 0
    assert "first audio of all: 1 up to " in capsys.readouterr().out
