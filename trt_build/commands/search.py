"""Which layers of a voice bear INT8: each group is heard alone, then as many together as pass.

`build` does this by itself, and hears groups alone only where a whole graph does not pass. Here all
are, for those who want to see. Every trial is kept: a second call takes a moment.

    python -m trt_build search voices/yue --graph vocoder --plot search.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

from engines.pack import GRAPHS, VoicePack
from engines.store import Store
from trt_build import calibration_file
from trt_build.calibrate import TEXTS, calibrate, read_texts, stored
from trt_build.commands.build import SEARCH_LOG
from trt_build.commands.options import add_store, count
from trt_build.errors import BuildError
from trt_build.eta import Eta
from trt_build.forms import Form, ProcessorForm, QdqForm
from trt_build.gate import LateGate, judged
from trt_build.graph_file import read_graph
from trt_build.hearing import Hearing
from trt_build.progress import Progress
from trt_build.sensitivity import Choice
from trt_build.table import plain
from trt_build.verify import held_out

NAME = "search"
HELP = "which layers bear INT8, by what is heard of each"
HEADER = ("graph", "group", "loss", "INT8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `search`."""
    parser.add_argument("voice", type=Path, help="a voice pack, such as voices/yue")
    add = parser.add_argument
    add("--graph", choices=GRAPHS, action="append", help="only this; can be repeated")
    add(
        "--backend",
        choices=("ort-cpu", "tensorrt"),
        default="ort-cpu",
        help="whose INT8: the processor's (default), or TensorRT's",
    )
    add_store(parser)
    add("--sentences", type=count, metavar="N", help="listen to N sentences (else all there are)")
    add("--plot", type=Path, metavar="FILE", help="draw the losses here (PNG; needs matplotlib)")


def run(args: argparse.Namespace) -> int:
    """Search, and print what was found."""
    pack, store, say = VoicePack(args.voice), Store(args.store), Progress()
    texts = read_texts(pack.folder / TEXTS)
    ranges = stored(store, pack, texts)
    with store.lock(pack):
        calibrate(pack, texts, ranges, told=Eta("texts", len(texts)))
    spoken = held_out()[: args.sentences]
    log = store.folder(pack) / SEARCH_LOG
    heard = Hearing(LateGate(pack, spoken, say), judged(spoken), log, say)
    rows: list[tuple[str, ...]] = []
    for graph in args.graph or GRAPHS:
        rows += _rows(heard, _form(args.backend, pack, graph, ranges))
    print(plain(HEADER, rows))
    if args.plot:
        heard.plot(args.plot)
        say(f"wrote {args.plot}")
    return 0


def _form(backend: str, pack: VoicePack, graph: str, ranges: Path) -> Form:
    model, found = read_graph(pack.graphs[graph]), calibration_file.read(ranges)
    if backend == "tensorrt":
        return QdqForm(model, found.ranges(graph))
    return ProcessorForm(model, found.ends(graph))


def _rows(heard: Hearing, form: Form) -> list[tuple[str, ...]]:
    graph = form.model.graph.name
    try:
        choice = heard.choose(form, "int8", rank=True)
    except BuildError as error:
        if error.code != "gate_failed":
            raise
        choice = heard.choices[graph, "int8"]
    return _table(choice)


def _table(choice: Choice) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        (
            choice.graph,
            trial.groups[0],
            f"{trial.loss:.0%}",
            _mark(trial.groups[0] in choice.groups),
        )
        for trial in choice.alone
    ]
    if choice.best:
        rows.append((choice.graph, "together", f"{choice.best.loss:.0%}", _mark(True)))
    return rows or [(choice.graph, "-", "-", "nothing in it")]


def _mark(chosen: bool) -> str:
    return "yes" if chosen else "no"
