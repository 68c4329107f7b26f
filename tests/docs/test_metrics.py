"""Of metrics OPERATIONS.md names all there are, and asks for none there are not."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from sambertd_client import Client, RefusedError
from sambertd_client.metrics import Family, Figures, families

from daemon.config import load
from tests.daemon.keeping import Start, endpoint, start_keeping, tiny_voices
from tests.daemon.live import LiveDaemon, folder, start_daemon
from tests.daemon.scraped import Read
from tests.docs.test_blocks import Block, blocks
from tests.systemd.box import ROOT

__all__ = ["endpoint", "folder", "start_daemon", "start_keeping", "tiny_voices"]
NAME = re.compile(r"\b(sambertd_\w+)(?:\{(.*?)\})?")
PAGE = (ROOT / "docs/OPERATIONS.md").read_text("utf-8")
FIGURES = PAGE.split("## Figures\n")[1].split("\n## ")[0]
BLOCKS = [one for one in blocks() if one.text in FIGURES]
PROMQL = [one for one in BLOCKS if one.language == "promql"]
YAML = [one for one in BLOCKS if one.language == "yaml"]


def documents() -> dict[str, Any]:
    """The YAML files of the page, by the path in their first line."""
    return {one.text.splitlines()[0][2:]: yaml.safe_load(one.text) for one in YAML}


@pytest.fixture
def told(start_keeping: Start, endpoint: str) -> list[Family]:
    """Of a daemon with a voice, a cache, and an error behind it."""
    start_keeping()
    with Client(endpoint) as client:
        with pytest.raises(RefusedError):
            client.say("")
        client.say("你好。", sink="none").wait()
        return families(Figures(client.stats(), client.status(), client.engines()))


def test_the_table_names_every_metric(told: list[Family]) -> None:
    rows = re.findall(r"^\| (`.*?`) \| ", FIGURES.split("| metrics,")[1], re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    suffix = {"counter": "_total"}
    there = [f"{one.name}{suffix.get(one.kind, '')}"[len("sambertd_") :] for one in told]
    assert sorted(named) == sorted(there)


@pytest.mark.parametrize("block", [*PROMQL, *YAML], ids=lambda block: str(block.place))
def test_what_is_asked_for_is_there(block: Block, told: list[Family]) -> None:
    samples = {sample.name: sample.labels for one in told for sample in one.samples}
    jobs = documents()["/etc/prometheus/prometheus.yml"]["scrape_configs"]
    for line in block.text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        assert line.count("(") == line.count(")"), line
        for name, matchers in NAME.findall(line):
            assert name in samples, line
            assert set(re.findall(r"(\w+)[!=]", matchers)) <= set(samples[name]), line
        for job in re.findall(r'job="(\w+)"', line):
            assert job in [one["job_name"] for one in jobs]


def test_the_alerts_are_rules() -> None:
    files = documents()
    (group,) = files["/etc/prometheus/sambertd.yml"]["groups"]
    assert files["/etc/prometheus/prometheus.yml"]["rule_files"] == ["/etc/prometheus/sambertd.yml"]
    for rule in group["rules"]:
        assert set(rule) <= {"alert", "expr", "for"}
        assert rule["alert"].startswith("Sambertd")
        assert re.fullmatch(r"\d+m", rule.get("for", "0m"))


def test_the_port_that_is_opened_is_the_one_that_is_scraped(tmp_path: Path) -> None:
    (edit,) = re.findall(r"^sudo (sed -i '.*') /etc/sambertd/sambertd.toml$", FIGURES, re.MULTILINE)
    shutil.copy(ROOT / "systemd/sambertd.toml", tmp_path)
    subprocess.run(f"{edit} sambertd.toml", shell=True, cwd=tmp_path, check=True)
    listen = load(tmp_path / "sambertd.toml", {}).metrics.listen
    (job,) = documents()["/etc/prometheus/prometheus.yml"]["scrape_configs"]
    assert job["static_configs"] == [{"targets": [listen]}]


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_curl_reads_the_socket(start_daemon: Callable[..., LiveDaemon], folder: Path) -> None:
    start_daemon(metrics=f"unix://{folder}/metrics.sock")
    (command,) = re.findall(r"^curl .*$", FIGURES, re.MULTILINE)
    command = command.replace("/run/sambertd", str(folder))
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert Read(done.stdout)("ready") == 1
