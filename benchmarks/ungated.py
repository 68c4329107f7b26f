"""INT8 engines for the processor of a voice that speaks noise, which the audio gate cannot judge.

    python -m benchmarks.ungated VOICE --store DIR

As `python -m trt_build build VOICE --backend ort-cpu --precision int8`, but every layer that may be
on 8 bits is, and nobody listens. For measuring time and memory alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from engines.pack import VoicePack
from engines.session import Session
from engines.store import Store
from trt_build.build_voice import Setup, build_voice
from trt_build.calibrate import TEXTS, calibrate, read_texts, stored
from trt_build.eta import Eta
from trt_build.makers import OnnxMaker
from trt_build.progress import Progress
from trt_build.recipes import recipes
from trt_build.verdict import Verdict


def unheard(engines: Mapping[str, Session]) -> Verdict:
    """A verdict of nobody."""
    return Verdict(True, (), {}, {}, 0, 0.0, ())


def main(argv: list[str] | None = None) -> None:
    """Calibrate, build and publish."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ungated", description=__doc__)
    parser.add_argument("voice", type=Path)
    parser.add_argument("--store", type=Path, required=True)
    args = parser.parse_args(argv)
    pack, store = VoicePack(args.voice), Store(args.store)
    texts = read_texts(pack.folder / TEXTS)
    ranges = stored(store, pack, texts)
    calibrate(pack, texts, ranges, told=Eta("texts", len(texts)))
    made = recipes(pack, "ort-cpu", ["int8"], ranges)
    build_voice(pack, store, Setup(OnnxMaker(), made, unheard, "nobody"), Progress())


if __name__ == "__main__":
    main()
