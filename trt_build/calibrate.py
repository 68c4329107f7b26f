"""Calibration: a voice speaks its texts on ONNX Runtime, and the values inside its graphs are
watched, as far as any quantization asks for their ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import onnx
from msgspec.structs import replace

from engines.pack import VoicePack
from engines.store import Store
from trt_build import calibration_file
from trt_build.calibration_file import Calibration, Method, Seen, calibration_key
from trt_build.cpu.graphs import calibrated
from trt_build.errors import BuildError
from trt_build.feeds import Feeds, Speaker, styles
from trt_build.graph_file import read_graphs
from trt_build.oracle import Oracle
from trt_build.quantize import observed
from trt_build.ranges import Magnitudes, RangeError

TEXTS = "calibration.txt"  # of a voice pack
LEAST_SECONDS = 10.0  # of speech; less does not show what the values can be
SAVE_EVERY = 8  # texts
Told = Callable[[int], None]


def watched(model: onnx.ModelProto) -> tuple[str, ...]:
    """The values that some INT8 form of a graph, TensorRT's or a processor's, needs ranges of."""
    names = [*observed(model), *calibrated(model.graph.name, model)]
    return tuple(dict.fromkeys(names))


class Observer:
    """One graph whose inner values are watched."""

    def __init__(self, model: onnx.ModelProto, seen: dict[str, Magnitudes] | None = None) -> None:
        """seen: what was counted before."""
        names = watched(model)
        self._graph, self._seen = model.graph.name, seen or {name: Magnitudes() for name in names}
        self._oracle = Oracle(model, watched=names)

    def see(self, feeds: Feeds) -> None:
        """Run the graph and count the values inside.

        Raises:
            BuildError: range_not_finite.
        """
        values = self._oracle.run(feeds)
        for name, seen in self._seen.items():
            try:
                seen.add(values[name])
            except RangeError as error:
                raise BuildError(
                    "range_not_finite",
                    f"value {name} in graph {self._graph} {error}, so no range holds it; the "
                    "voice's weights are damaged or too large: export it again, and listen to it",
                ) from error

    def magnitudes(self) -> dict[str, Magnitudes]:
        """What was counted, by value."""
        return self._seen


def observe(model: onnx.ModelProto, feeds: Iterable[Feeds]) -> dict[str, Magnitudes]:
    """Watch one graph over any iterable of feeds.

    Raises:
        BuildError: range_not_finite; graph_unreadable.
    """
    observer = Observer(model)
    for fed in feeds:
        observer.see(fed)
    return observer.magnitudes()


def read_texts(path: Path, count: int | None = None) -> list[str]:
    """One text a line; the first `count`.

    Raises:
        BuildError: no_texts.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _no_texts(f"{path} cannot be read: {error}") from error
    texts = [line.strip() for line in lines if line.strip()][:count]
    if not texts:
        raise _no_texts(f"{path} holds no text")
    return texts


def _no_texts(what: str) -> BuildError:
    return BuildError(
        "no_texts",
        f"{what}; give a UTF-8 file with one sentence a line with --texts, such as the robot will "
        f"say, for {LEAST_SECONDS:.0f} s of speech at least",
    )


def stored(store: Store, pack: VoicePack, texts: Sequence[str]) -> Path:
    """Where the ranges of a voice and its texts lie in a store."""
    key = calibration_key(pack, texts, [repr(style) for style in styles(pack)])
    return store.folder(pack) / f"calibration-{key[:16]}.json"


def calibrate(
    pack: VoicePack,
    texts: Sequence[str],
    out: Path,
    method: Method = "entropy",
    told: Told = lambda _: None,
) -> Calibration:
    """Speak the texts and write the ranges to `out`.

    What is done is kept beside it every few texts; the next call with the same voice and texts goes
    on from there, to the same file byte for byte. A finished file of theirs is used as it is.
    told(n): n texts are done.

    Raises:
        BuildError: range_not_finite; too_short, the texts give less than LEAST_SECONDS of speech;
            disk_full, cannot_write.
        EngineError: the voice is broken.
    """
    key = calibration_key(pack, texts, [repr(style) for style in styles(pack)])
    part = out.with_name(f"{out.name}.part")
    finished = _found(out, key)
    if finished:
        it = replace(finished, method=method)
    else:
        it = _speak(pack, texts, _found(part, key) or _fresh(pack, key, texts), part, told)
        if it.seconds < LEAST_SECONDS:
            part.unlink(missing_ok=True)
            raise _too_short(it)
        it = replace(it, method=method)
    if it != finished:
        calibration_file.write(out, it)
    part.unlink(missing_ok=True)
    return it


def _found(path: Path, key: str) -> Calibration | None:
    """What an earlier call left, if it is of the same voice and texts."""
    with suppress(BuildError):
        found = calibration_file.read(path)
        if found.key == key:
            return found
    return None


def _fresh(pack: VoicePack, key: str, texts: Sequence[str]) -> Calibration:
    return Calibration(pack.file.name, key, "entropy", len(texts), {})


def _speak(
    pack: VoicePack, texts: Sequence[str], it: Calibration, part: Path, told: Told
) -> Calibration:
    """Go on from `it` to the end."""
    models = {name: model for name, model in read_graphs(pack).items() if watched(model)}
    observers = {name: Observer(model, it.magnitudes(name)) for name, model in models.items()}

    def sink(graph: str, feeds: Feeds) -> None:
        observers[graph].see(feeds)

    with Speaker(pack, observers, sink) as speaker:
        for number in range(it.done, len(texts)):
            seconds = speaker.speak(number, texts[number])
            it = _advanced(it, seconds)
            told(it.done)
            if it.done % SAVE_EVERY == 0 and not it.is_whole:
                calibration_file.write(part, _with_counts(pack, it, observers))
    return _with_counts(pack, it, observers)


def _advanced(it: Calibration, seconds: float) -> Calibration:
    skipped = it.skipped + (seconds == 0.0)
    return replace(it, done=it.done + 1, seconds=it.seconds + seconds, skipped=skipped)


def _with_counts(pack: VoicePack, it: Calibration, observers: dict[str, Observer]) -> Calibration:
    graphs = {
        name: Seen(
            pack.file.graphs[name].sha256,
            {value: seen.saved() for value, seen in observer.magnitudes().items()},
        )
        for name, observer in observers.items()
    }
    return replace(it, graphs=graphs)


def _too_short(it: Calibration) -> BuildError:
    unspoken = f"; {it.skipped} of {it.texts} texts hold nothing to speak" if it.skipped else ""
    return BuildError(
        "too_short",
        f"the texts give {it.seconds:.1f} s of speech, and ranges want {LEAST_SECONDS:.0f} s at "
        f"least, a minute or more if they are to hold{unspoken}; give more sentences with --texts",
    )
