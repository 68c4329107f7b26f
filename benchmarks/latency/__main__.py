"""First audio, its prediction, cancel, streams at once, round trips: `docs/LATENCY.md`.

    python -m benchmarks.latency [PART ...] [--voice DIR] [--out DIR]

Parts that are named (first, start, cancel, streams, trips) are measured, else all of them (five
minutes on a quiet machine). Each is
written as soon as it is measured, into DIR/benchmarks/results/latency.json with the machine and the
date, beside what was measured before; and the page is written from that.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.latency import cancel, first_audio, start, streams, trips
from benchmarks.latency.page import page
from benchmarks.speed import BUILT_IN, ROOT, machine

Part = Callable[[Path], dict[str, Any]]


def _first(_: Path) -> dict[str, Any]:
    return {"ms": {name: asdict(it) for name, it in first_audio.first_audio().items()}}


def _start(_: Path) -> dict[str, Any]:
    return {"cases": {name: asdict(it) for name, it in start.start().items()}}


def _cancel(_: Path) -> dict[str, Any]:
    speaker = cancel.of_speaker()
    told = None if speaker is None else asdict(speaker)
    return {"client": asdict(cancel.of_client()), "speaker": told}


def _streams(voice: Path) -> dict[str, Any]:
    runs = streams.streams(voice).items()
    return {"voice": voice.name, "runs": {way: [asdict(it) for it in all_] for way, all_ in runs}}


def _trips(_: Path) -> dict[str, Any]:
    return {"ms": {name: asdict(it) for name, it in trips.trips().items()}}


PARTS: dict[str, Part] = {
    "first": _first,
    "start": _start,
    "cancel": _cancel,
    "streams": _streams,
    "trips": _trips,
}


def main(argv: list[str] | None = None) -> int:
    """Measure, and write what was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help="first, start, cancel, streams, trips"
    )
    parser.add_argument("--voice", type=Path, default=BUILT_IN, help="a voice pack, for streams")
    parser.add_argument("--out", type=Path, default=ROOT, help="where the page and figures go")
    args = parser.parse_args(argv)
    unknown = set(args.parts) - PARTS.keys()
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: parts are {', '.join(PARTS)}")
    kept = args.out / "benchmarks" / "results" / "latency.json"
    for name in args.parts or PARTS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        load = os.getloadavg()[0]
        part = {"machine": machine(), "load": load, **PARTS[name](args.voice)}
        write(args.out, kept, name, part)
    print((args.out / "docs" / "LATENCY.md").read_text("utf-8"))
    return 0


def write(out: Path, kept: Path, name: str, part: dict[str, Any]) -> None:
    """One part's figures beside the others', and the page of them all."""
    figures = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
    figures[name] = part
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (out / "docs").mkdir(exist_ok=True)
    (out / "docs" / "LATENCY.md").write_text(page(figures), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
