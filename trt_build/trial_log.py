"""What the search for INT8 layers measured, one JSON object a line: its log and its cache."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Trial(msgspec.Struct, frozen=True):
    """Some groups of a graph in INT8, and what was heard.

    key: SHA-256 of all it depends on. loss: larger is worse. mean, worst: the judge's measures that
    are numbers. seconds: what it took.
    """

    key: str
    graph: str
    groups: tuple[str, ...]
    loss: float
    passed: bool
    reasons: tuple[str, ...] = ()
    mean: dict[str, float] = {}
    worst: dict[str, float] = {}
    seconds: float = 0.0


class TrialLog:
    """Trials in a file that only ever grows."""

    def __init__(self, path: Path) -> None:
        """Read what there is; a line that a crash cut off is passed over."""
        self._path = path
        self._known: dict[str, Trial] = {}
        data = path.read_bytes() if path.is_file() else b""
        for line in data.splitlines():
            try:
                trial = msgspec.json.decode(line, type=Trial)
            except msgspec.DecodeError:
                continue
            self._known[trial.key] = trial
        self._is_torn = bool(data) and not data.endswith(b"\n")

    def get(self, key: str) -> Trial | None:
        """What was measured under this key."""
        return self._known.get(key)

    def add(self, trial: Trial) -> None:
        """Put a line behind the others. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(b"\n" * self._is_torn + msgspec.json.encode(trial) + b"\n")
        self._is_torn = False
        self._known[trial.key] = trial
