"""Print what this machine has and lacks for engines, as a report to paste into an issue.

With --gpu it also makes the engines of the voices named, as `build` does: every graph in every
precision is built, timed and listened to, with TensorRT and with ONNX Runtime on CUDA where they
are there. That takes from minutes to an hour and shows its progress. Engines in use are left alone:
what is built goes into a folder that is removed in the end. The report, on stdout, names the
machine's hardware and software and no person or network.

    python -m trt_build doctor
    python -m trt_build doctor --gpu voices/yue > report.md

`sambertctl doctor` is the same and looks after the sound too (daemon/doctor.py).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from engines.device import Device, device
from engines.pack import VoicePack
from engines.store import Backend
from trt_build.gpu_trial import Build, build_apart, tried
from trt_build.machine import facts
from trt_build.table import markdown

NAME = "doctor"
HELP = "what this machine has and lacks for engines; --gpu tries all of it"
ON_GPU: tuple[Backend, ...] = ("tensorrt", "ort-cuda")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `doctor`."""
    parser.add_argument(
        "voice",
        type=Path,
        nargs="*",
        metavar="DIR",
        help="voice packs to try with --gpu, such as voices/yue",
    )
    parser.add_argument(
        "--gpu", action="store_true", help="build, time and hear engines on the GPU"
    )
    parser.add_argument(
        "--sentences",
        type=int,
        metavar="N",
        help="listen to N sentences only, which is sooner done",
    )


def run(args: argparse.Namespace) -> int:
    """Print the report; 1 if --gpu was asked for and something stands in the way."""
    more = ["--sentences", str(args.sentences)] if args.sentences is not None else []
    return report(args.voice, args.gpu, device(), partial(build_apart, more=more))


def report(voices: Sequence[Path], gpu: bool, found: Device, build: Build) -> int:
    """The report, on a machine of which `found` is known; build: makes a voice's engines.

    1 if --gpu was asked for and not all of it went well.
    """
    packs = [VoicePack(folder) for folder in voices]
    print("### sambertd doctor\n")
    print(markdown(["what", "this machine"], facts(found)), flush=True)
    if not gpu:
        return 0
    lacking = {backend: found.lacking(backend) for backend in ON_GPU}
    if all(lacking.values()):
        print(f"\nEngines for a GPU were not tried: {found.lacking('tensorrt')}.")
        return 1
    if not packs:
        print("\nName a voice to try its engines: `sambertctl doctor --gpu voices/NAME`.")
        return 1
    bad = bool(lacking["tensorrt"])
    for backend in ON_GPU:
        if lacking[backend]:
            print(f"\nEngines for {backend} were not tried: {lacking[backend]}.", flush=True)
            continue
        for pack in packs:
            told, well = tried(pack, backend, build)
            print(f"\n{told}", flush=True)
            bad |= not well
    return int(bad)
