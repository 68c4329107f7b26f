"""Build the engines of a voice for this box: make them, time them here, listen to them, publish.

For each graph every precision is tried. The fastest that sounds as FP32 does wins, and where none
is faster and as good the voice's own graph stays. Nothing that is in use changes before all is
well. Interrupted, it goes on where it stopped; what is as it would be built now is kept.

    python -m trt_build build voices/yue
    python -m trt_build build voices/yue --backend tensorrt --precision fp16 --precision fp32
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import get_args

from engines.opening import here
from engines.pack import VoicePack
from engines.store import Backend, Precision, Store
from trt_build.backends import choose, opener
from trt_build.build_voice import Setup, build_voice, stale
from trt_build.builder import BuildOptions
from trt_build.calibrate import TEXTS, calibrate, read_texts, stored
from trt_build.commands.options import add_store, count
from trt_build.engine_report import report
from trt_build.errors import BuildError
from trt_build.eta import Eta
from trt_build.gate import LateGate, judged
from trt_build.graph_file import read_graphs
from trt_build.hearing import Hearing
from trt_build.ladder import FATAL
from trt_build.makers import Maker, OnnxMaker, PlanMaker
from trt_build.profiles import buckets, profile, voice_dimensions
from trt_build.progress import Progress, ending_in_order
from trt_build.recipes import recipes
from trt_build.supervised import Limits
from trt_build.timing_cache import cache_file
from trt_build.verify import held_out

NAME = "build"
HELP = "the fastest engines this box can have that sound as FP32 does"
SEARCH_LOG, SEARCH_PLOT = "search.jsonl", "search.png"
TIME_LIMIT_S = 3600.0
MEMORY_SHARE = 0.75  # of the machine's


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `build`."""
    parser.add_argument("voice", type=Path, help="a voice pack, such as voices/yue")
    add = parser.add_argument
    add("--backend", choices=get_args(Backend), help="else the best that this box has")
    add(
        "--precision",
        choices=get_args(Precision),
        action="append",
        default=[],
        help="try only this; can be repeated (else all the backend has)",
    )
    add_store(parser)
    add("--dry-run", action="store_true", help="only say what would be built, and why")
    add("--force", action="store_true", help="build all anew, also what is as it would be built")
    add("--sentences", type=count, metavar="N", help="listen to N sentences (else all there are)")
    add(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="ranges for INT8 (else those in the store, made first where missing)",
    )
    trt = parser.add_argument_group("TensorRT")
    trt.add_argument(
        "--time-limit",
        type=count,
        metavar="S",
        default=TIME_LIMIT_S,
        help="seconds for one graph in one precision (%(default)g)",
    )
    trt.add_argument(
        "--memory-mb",
        type=count,
        metavar="N",
        help=f"memory for one (else {MEMORY_SHARE:.0%} of the machine's)".replace("%", "%%"),
    )
    trt.add_argument(
        "--opt-level",
        type=int,
        choices=range(6),
        default=3,
        help="how many kernels it tries; 5 takes half an hour for what 3 does in minutes",
    )
    trt.add_argument(
        "--workspace-mb", type=int, metavar="N", default=1024, help="of the GPU, 0: all (1024)"
    )
    trt.add_argument(
        "--buckets", action="store_true", help="kernels of their own for each size of chunk"
    )
    trt.add_argument(
        "--weak-typing", action="store_true", help="where TensorRT before 10.12 fails without"
    )
    trt.add_argument(
        "--idle", action="store_true", help="build only while nothing else wants the processor"
    )


def run(args: argparse.Namespace) -> int:
    """Build, and print the report."""
    backend = choose(args.backend)
    pack, store, say = VoicePack(args.voice), Store(args.store), Progress()
    say(f"building the engines of {pack.file.name} for {', '.join(here(backend))}")
    maker = _maker(args, pack, store, backend)
    with ending_in_order():
        texts = held_out()[: args.sentences]
        judged_by = judged(texts)
        gate = LateGate(pack, texts, say)
        heard = Hearing(gate, judged_by, store.folder(pack) / SEARCH_LOG, say)
        ranges, prepare = _calibration(args, pack, store, backend, say)
        made = recipes(pack, backend, args.precision, ranges, heard)
        if args.dry_run:
            _tell(stale(pack, store, Setup(maker, made, gate, judged_by)), list(made))
            return 0
        load, close = opener(backend, pack)
        try:
            setup = Setup(maker, made, gate, judged_by, load, prepare=prepare)
            manifest = build_voice(pack, store, setup, say, force=args.force)
        finally:
            close()
        with suppress(ModuleNotFoundError):
            if heard.plot(store.folder(pack) / SEARCH_PLOT):
                say(f"what single groups of layers lose: {store.folder(pack) / SEARCH_PLOT}")
    print(report(manifest))
    return 0


def _maker(args: argparse.Namespace, pack: VoicePack, store: Store, backend: Backend) -> Maker:
    if backend != "tensorrt":
        return OnnxMaker(backend)
    dimensions, graphs = voice_dimensions(pack.file), read_graphs(pack)
    device, runtime = here(backend)
    return PlanMaker(
        profiles={
            name: buckets(model, dimensions[name], pack.file)
            if args.buckets
            else (profile(model, dimensions[name]),)
            for name, model in graphs.items()
        },
        options=BuildOptions(
            args.opt_level,
            args.workspace_mb,
            cache_file(store.root, runtime, device),
            args.weak_typing,
        ),
        limits=Limits(args.time_limit, args.memory_mb or _most_memory_mb(), args.idle),
    )


def _most_memory_mb() -> int:
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return int(MEMORY_SHARE * whole / 2**20)


def _calibration(
    args: argparse.Namespace, pack: VoicePack, store: Store, backend: Backend, say: Progress
) -> tuple[Path, Callable[[], None]]:
    """The file of ranges, and what makes it where INT8 wants one and none was given."""
    wanted = any(it.startswith("int8") for it in args.precision) or not args.precision
    if args.calibration or backend == "ort-cuda" or not wanted:
        return args.calibration or store.folder(pack) / "calibration.json", lambda: None
    try:
        texts = read_texts(pack.folder / TEXTS)
    except BuildError as error:
        say(f"no INT8 where ranges are needed: {error} [{error.code}]")
        return store.folder(pack) / "calibration.json", lambda: None
    path = stored(store, pack, texts)
    return path, partial(_calibrated, pack, texts, path, say)


def _calibrated(pack: VoicePack, texts: list[str], path: Path, say: Progress) -> None:
    """Calibrate; where that cannot be done, only what needs it is not built."""
    if not path.is_file():
        say("INT8 needs the ranges of the values inside: speaking the calibration texts")
    try:
        calibrate(pack, texts, path, told=Eta("texts", len(texts)))
    except BuildError as error:
        if error.code in FATAL:
            raise
        say(f"no INT8 where ranges are needed: {error} [{error.code}]")


def _tell(todo: dict[str, str], precisions: list[Precision]) -> None:
    """What would be done."""
    for graph, why in todo.items():
        print(f"would build {graph} as {', '.join(precisions)}: {why}")
    if not todo:
        print("nothing to build: all engines are as they would be built now")
