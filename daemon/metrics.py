"""Whether and where the daemon serves metrics; what they say comes from the loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from sambertd_client.metrics import Figures

from daemon.inquiries import Inquiries
from daemon.metrics_config import MetricsConfig

if TYPE_CHECKING:
    from daemon.scraping import Exporter

ANSWER_S = 2.0  # for the loop, which answers within milliseconds unless it stands still


class MetricsError(Exception):
    """The metrics cannot be served where they shall be; the message names the cure."""

    code = "metrics_unavailable"


class Metrics:
    """Used by the loop's thread."""

    def __init__(self, config: MetricsConfig, wake: Callable[[], None]) -> None:
        self._config = config
        self._inquiries: Inquiries[Figures] = Inquiries(wake)
        self._exporter: Exporter | None = None

    def open(self) -> None:
        """Serve them, if that is asked for. Raises MetricsError."""
        if self._config.listen:
            from daemon.scraping import Exporter  # heavy, and few want it

            self._exporter = Exporter(self._config, partial(self._inquiries.ask, ANSWER_S))

    def answer(self, make: Callable[[], Figures]) -> None:
        """Whoever has asked meanwhile."""
        self._inquiries.answer(make)

    def close(self) -> None:
        if self._exporter is not None:
            self._exporter.close()
            self._exporter = None
