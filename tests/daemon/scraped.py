"""What Prometheus sees of a daemon: asked over HTTP, read with Prometheus' own parser."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from http.client import HTTPConnection, HTTPResponse

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from daemon.metrics_config import MetricsConfig

Parser = Callable[[str], Iterable[Metric]]


class Read:
    """Values of a text by name and labels; every metric is told once, with its help and kind."""

    def __init__(self, text: str, parse: Parser = text_string_to_metric_families) -> None:
        self.kinds: dict[str, str] = {}
        self._values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for family in parse(text):
            assert family.documentation, family.name
            assert family.name not in self.kinds
            self.kinds[family.name] = family.type
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in self._values
                self._values[key] = sample.value

    def __call__(self, name: str, **labels: str) -> float:
        return self._values[f"sambertd_{name}", frozenset(labels.items())]

    def all(self, name: str) -> list[float]:
        return [value for (found, _), value in self._values.items() if found == f"sambertd_{name}"]


def connected(listen: str, timeout_s: float = 20.0) -> socket.socket:
    """A connection to where metrics are served."""
    config = MetricsConfig(listen)
    if config.socket_path is None:
        return socket.create_connection(config.port, timeout_s)
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(timeout_s)
    try:
        link.connect(str(config.socket_path))
    except OSError:
        link.close()
        raise
    return link


class _Connection(HTTPConnection):
    def __init__(self, listen: str) -> None:
        super().__init__("localhost")
        self.sock = connected(listen)


def asked(
    listen: str, path: str = "/metrics", method: str = "GET", accept: str = "*/*"
) -> tuple[HTTPResponse, str]:
    """The answer and its body."""
    connection = _Connection(listen)
    try:
        connection.request(method, path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer, answer.read().decode()
    finally:
        connection.close()


def scraped(listen: str) -> Read:
    answer, body = asked(listen)
    assert answer.status == 200, body
    return Read(body)
