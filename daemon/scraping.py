"""Prometheus asks over HTTP, on the loopback or a unix socket; the loop says what is true now.

Few threads wait for connections and answer one request each, in bounded time and memory, whatever
a client does. Heavy to import: for daemons that serve metrics.
"""

from __future__ import annotations

import io
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from prometheus_client import CollectorRegistry, GCCollector, Metric, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from sambertd_client.metrics import Figures, families

from daemon.lock import EndpointLock, LockError
from daemon.metrics import MetricsError
from daemon.metrics_config import KEY, MetricsConfig
from daemon.transport import SOCKET_MODE

log = logging.getLogger(__name__)
THREADS = 4  # scrapers that are answered at once; more wait in the backlog
BACKLOG = 16
READ_S, WRITE_S = 2.0, 2.0
JOIN_S = 0.1  # a slow scraper does not hold up the daemon's end
MOST_HEAD = 8192  # bytes of a request
AFTER_FAULT_S = 0.1  # until the next try where a connection cannot be taken


class Exporter:
    """Serves what `figures` gives, which raises TimeoutError where the loop stands still."""

    def __init__(self, config: MetricsConfig, figures: Callable[[], Figures]) -> None:
        """Raises MetricsError."""
        self._figures = figures
        self._path = config.socket_path
        self._lock = None if self._path is None else EndpointLock(self._path, KEY)
        self._closed = threading.Event()
        try:
            if self._lock is not None:
                self._lock.acquire()
            self._socket = _port(*config.port) if self._path is None else _file(self._path)
        except LockError as error:
            raise MetricsError(str(error)) from error
        except OSError as error:
            if self._lock is not None:
                self._lock.release()
            why = os.strerror(error.errno or 0)
            raise MetricsError(
                f"cannot serve metrics on {config.listen}: {why}; choose another {KEY}, or none; "
                "a port of the service needs a drop-in: docs/OPERATIONS.md, Figures"
            ) from error
        self._threads = [
            threading.Thread(target=self._serve, name=f"metrics-{number}", daemon=True)
            for number in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()
        log.info("metrics on %s", config.listen)

    def close(self) -> None:
        """No more answers."""
        self._closed.set()
        self._socket.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for a connection
        until = time.monotonic() + JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._socket.close()
        if self._path is not None and self._lock is not None:
            self._path.unlink(missing_ok=True)
            self._lock.release()

    def _serve(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed; or the connection is gone already, or no file is left
                self._closed.wait(AFTER_FAULT_S)
                continue
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        try:
            _Scrape(connection, self._figures)
        except OSError as error:  # it was too slow, too long, or has left
            log.debug("a scraper is not answered: %s", error)
        except Exception:
            log.exception("the metrics could not be told")


class _Scrape(BaseHTTPRequestHandler):
    """One request and its answer. Raises OSError where a client takes its time."""

    server_version, sys_version = "sambertd", ""

    def __init__(self, connection: socket.socket, figures: Callable[[], Figures]) -> None:
        self._figures = figures
        super().__init__(connection, "", None)  # type: ignore[arg-type]  # there is no server

    def setup(self) -> None:
        self.rfile = io.BytesIO(_head(self.request))
        self.wfile = self._written = io.BytesIO()

    def finish(self) -> None:
        self.request.settimeout(WRITE_S)
        self.request.sendall(self._written.getvalue())

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self._reply(404, "the metrics are at /metrics (not_found)\n")
            return
        try:
            figures = self._figures()
        except TimeoutError as error:
            text = f"the daemon's loop stands still: {error}; see its journal (loop_stalled)\n"
            self._reply(503, text)
            return
        registry = CollectorRegistry()
        registry.register(_Told(figures))
        ProcessCollector(registry=registry)
        GCCollector(registry)
        encode, kind = choose_encoder(self.headers.get("Accept", ""))
        self._reply(200, encode(registry), kind)

    do_HEAD = do_GET  # noqa: N815

    def _reply(
        self, status: int, body: str | bytes, kind: str = "text/plain; charset=utf-8"
    ) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)


class _Told(Collector):
    """The families that `sambertctl stats --prometheus` writes too."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        for family in families(self._figures):
            metric = Metric(family.name, family.words, family.kind)
            metric.samples = [Sample(*sample) for sample in family.samples]
            yield metric


def _head(connection: socket.socket) -> bytes:
    """A request up to its empty line; b"" where there is none. Raises OSError if it is slow."""
    until, head = time.monotonic() + READ_S, b""
    while b"\r\n\r\n" not in head:
        connection.settimeout(max(0.001, until - time.monotonic()))
        more = connection.recv(4096)
        if not more or len(head) + len(more) > MOST_HEAD:
            return b""
        head += more
    return head


def _port(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def _file(path: Path) -> socket.socket:
    link = socket.socket(socket.AF_UNIX)
    try:
        link.bind(str(path))
        path.chmod(SOCKET_MODE)  # before it listens, so nobody gets in meanwhile
        link.listen(BACKLOG)
    except OSError:
        link.close()
        raise
    return link
