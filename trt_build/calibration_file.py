"""What calibration leaves behind: one file with the ranges of a voice's graphs."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from engines.pack import VoicePack
from engines.store import write_atomically
from trt_build.errors import BuildError, cannot_write
from trt_build.ranges import BINS, METHODS, Magnitudes, Saved

FORMAT = 1
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
Method = Literal["minmax", "entropy", "percentile"]


class Seen(msgspec.Struct, frozen=True):
    """One graph: SHA-256 of its ONNX file, and its observed values by name."""

    sha256: str
    values: dict[str, Saved]


class Calibration(msgspec.Struct, frozen=True):
    """Ranges of a voice, whole or on the way.

    key: of the graphs, the texts and how they were spoken. method: how a range is read off a
    histogram; the histograms serve all methods. done: texts spoken of `texts`. seconds: of speech
    so far. skipped: texts in which nothing could be spoken.
    """

    voice: str
    key: str
    method: Method
    texts: int
    graphs: dict[str, Seen]
    done: int = 0
    seconds: float = 0.0
    skipped: int = 0
    format: int = FORMAT

    @property
    def is_whole(self) -> bool:
        """Whether every text has been spoken."""
        return self.done == self.texts

    def ranges(self, graph: str, method: Method | None = None) -> dict[str, float]:
        """The largest |x| that is kept, by value; none of a graph in which nothing is observed.

        Raises:
            BuildError: calibration_broken.
        """
        read = METHODS[method or self.method]
        return {name: read(seen) for name, seen in self.magnitudes(graph).items()}

    def ends(self, graph: str, method: Method | None = None) -> dict[str, tuple[float, float]]:
        """The smallest and the largest x that are kept, 0 between them, by value; for scales that
        are not symmetric.

        Raises:
            BuildError: calibration_broken.
        """
        read = METHODS[method or self.method]
        found = {}
        for name, seen in self.magnitudes(graph).items():
            kept = read(seen)
            found[name] = max(seen.low, -kept), min(seen.high, kept)
        return found

    def magnitudes(self, graph: str) -> dict[str, Magnitudes]:
        """The histograms, by value.

        Raises:
            BuildError: calibration_broken.
        """
        seen = self.graphs.get(graph)
        try:
            return {n: Magnitudes.restored(s) for n, s in seen.values.items()} if seen else {}
        except ValueError as error:
            raise _broken(f"the calibration of {self.voice}", error) from error

    def check(self, pack: VoicePack) -> None:
        """See that it was made of just these graphs.

        Raises:
            BuildError: calibration_stale.
        """
        stale = [n for n, seen in self.graphs.items() if seen.sha256 != pack.file.graphs[n].sha256]
        if stale or not self.is_whole:
            what = f"is of other graphs ({', '.join(stale)})" if stale else "is not finished"
            raise BuildError(
                "calibration_stale",
                f"the calibration of {self.voice} {what}; run python -m trt_build calibrate "
                f"{pack.folder}",
            )


def calibration_key(pack: VoicePack, texts: Sequence[str], spoken: Sequence[str]) -> str:
    """SHA-256 of what the histograms are made of. spoken: the styles the texts are spoken in."""
    graphs = {name: file.sha256 for name, file in pack.file.graphs.items()}
    made_of = (FORMAT, BINS, graphs, list(texts), list(spoken))
    return hashlib.sha256(msgspec.json.encode(made_of, order="deterministic")).hexdigest()


def read(path: Path) -> Calibration:
    """A calibration from its file.

    Raises:
        BuildError: calibration_missing, calibration_broken.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Calibration)
    except FileNotFoundError as error:
        raise BuildError(
            "calibration_missing", f"{path} does not exist; run python -m trt_build calibrate"
        ) from error
    except (OSError, msgspec.DecodeError) as error:
        raise _broken(str(path), error) from error
    if found.format != FORMAT:
        raise _broken(str(path), f"it has format {found.format}, this sambertd reads {FORMAT}")
    return found


def write(path: Path, calibration: Calibration) -> None:
    """The file whole, or as it was.

    Raises:
        BuildError: disk_full, cannot_write.
    """
    data = msgspec.json.format(msgspec.json.encode(calibration))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    except OSError as error:
        raise cannot_write(path, error, "--out or --store") from error


def _broken(what: str, why: object) -> BuildError:
    return BuildError(
        "calibration_broken", f"{what} cannot be read: {why}; delete it and calibrate again"
    )
