"""Print what this machine has and lacks for engines, as a report to paste into an issue.

With --gpu it builds every graph of the voices named on the GPU, holds what comes out against ONNX
Runtime on the processor and times both. That takes minutes and changes nothing on disk. The report
names the machine's hardware and software and no person, network or file of yours.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engines.device import Device, device
from engines.errors import EngineError
from engines.pack import VoicePack
from trt_build.errors import BuildError
from trt_build.importing.progress import Progress
from trt_build.machine import facts
from trt_build.table import markdown

if TYPE_CHECKING:
    from trt_build.trial import Trial

NAME = "doctor"
HELP = "what this machine has and lacks for engines; --gpu tries all of it"
HEADER = ["graph", "build s", "plan bytes", "CPU ms", "GPU ms", "as CUDA graph", "apart", "result"]
Tries = Callable[[VoicePack, Callable[[str], None]], "Sequence[Trial]"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `doctor`."""
    parser.add_argument(
        "voice", type=Path, nargs="*", help="voice packs to try with --gpu, such as voices/yue"
    )
    parser.add_argument("--gpu", action="store_true", help="build, run and time engines on the GPU")


def run(args: argparse.Namespace) -> int:
    """Print the report; 1 if --gpu was asked for and something stands in the way."""
    return report(args.voice, args.gpu, device(), tensorrt_trials)


def main(argv: Sequence[str] | None = None) -> int:
    """`sambertctl doctor`."""
    parser = argparse.ArgumentParser(
        "sambertctl doctor",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    try:
        return run(parser.parse_args(argv))
    except (EngineError, BuildError) as error:
        print(f"sambertctl doctor: {error} [{error.code}]", file=sys.stderr)
        return 1


def report(voices: Sequence[Path], gpu: bool, found: Device, tries: Tries) -> int:
    """The report, on a machine of which `found` is known; tries: what is done with each voice."""
    packs = [VoicePack(folder) for folder in voices]
    print("### sambertd doctor\n")
    print(markdown(["what", "this machine"], facts(found)), flush=True)
    if not gpu:
        return 0
    if not found.usable:
        print(f"\nEngines for a GPU were not tried: {found.why}.")
        return 1
    if not packs:
        print("\nName a voice to try its engines: `sambertctl doctor --gpu voices/NAME`.")
        return 1
    progress, bad = Progress(), 0
    for pack in packs:
        done = tries(pack, progress)
        print(f"\n#### {pack.file.name}, as exported (FP32)\n\n{markdown(HEADER, map(_row, done))}")
        bad += sum(it.said != "OK" for it in done)
    return int(bad > 0)


def tensorrt_trials(pack: VoicePack, progress: Callable[[str], None]) -> Sequence[Trial]:
    """Every graph through the TensorRT of this machine."""
    import onnx
    import tensorrt

    from engines.gpu import Gpu
    from trt_build.builder import build
    from trt_build.profiles import Profile
    from trt_build.trial import trials

    def built(model: onnx.ModelProto, shapes: Profile) -> bytes:
        return build(tensorrt, model, [shapes]).data

    gpu = Gpu()
    try:
        return trials(gpu, pack, built, progress)
    finally:
        gpu.close()


def _row(it: Trial) -> list[str]:
    if not it.build_s:
        return [it.graph, *["-"] * 6, it.said]
    times = (f"{ms:.3f}" for ms in (it.cpu_ms, it.plain_ms, it.recorded_ms))
    size = f"{it.plan_bytes:,}"
    return [it.graph, f"{it.build_s:.1f}", size, *times, f"{it.difference:.1e}", it.said]
