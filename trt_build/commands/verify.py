"""Speak sentences no calibration has seen with FP32 and with other graphs, and compare.

The others are this box's engines, as the daemon runs them, or candidates in files.

The table has, for each measure, the mean and the worst sentence beside what is allowed; the last
column says whether it passed. The whole passes if every measure does: then nobody would tell the
two apart by ear. Limits and reasons: docs/INT8.md, section
"The audio gate".

    python -m trt_build verify voices/yue
    python -m trt_build verify voices/yue --candidate vocoder=vocoder-int8.onnx --wav pairs
"""

from __future__ import annotations

import argparse
from pathlib import Path

from engines.gpu_openers import gpu_openers
from engines.one_gpu import OneGpu
from engines.opening import open_engines
from engines.ort_session import UNSAFE_IN_FP16, OrtSession
from engines.pack import GRAPHS, VoicePack
from engines.session import Session
from engines.store import Store
from engines.voice import RuntimeOptions
from trt_build.commands.options import add_store
from trt_build.errors import BuildError
from trt_build.gate import Gate
from trt_build.progress import Progress
from trt_build.verdict_report import draw, summary, table, write_json, write_waves
from trt_build.verify import held_out

NAME = "verify"
HELP = "whether this box's engines, or candidate graphs, sound as FP32 does"
AS_WRITTEN = {"session.disable_quant_qdq": "1"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `verify`."""
    parser.add_argument("voice", type=Path, help="a voice pack, such as voices/yue")
    parser.add_argument(
        "--candidate",
        action="append",
        default=[],
        metavar="GRAPH=FILE",
        help=f"an ONNX file in place of a graph ({', '.join(GRAPHS)}); repeat for more "
        "(else the engines that were built here)",
    )
    add_store(parser)
    parser.add_argument(
        "--float-qdq",
        action="store_true",
        help="compute Q/DQ pairs as they are written, in floats, as a graph meant for TensorRT "
        "must be judged; without this ONNX Runtime puts its own integer kernels in their place",
    )
    parser.add_argument(
        "--sentences", type=int, metavar="N", help="only the first so many (default: all)"
    )
    parser.add_argument("--texts", type=Path, metavar="FILE", help="others, one text a line, UTF-8")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--wav", type=Path, metavar="DIR", help="write pairs to listen to here")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the worst pair here (PNG)")
    parser.add_argument("--markdown", action="store_true", help="the table in Markdown")


def run(args: argparse.Namespace) -> int:
    """Compare and print; 1 if the candidate fails."""
    say = Progress()
    texts = _texts(args.texts, args.sentences)
    pack = VoicePack(args.voice)
    if args.candidate:
        engines = _candidates(args.candidate, AS_WRITTEN if args.float_qdq else {})
    else:
        engines = _built(pack, Store(args.store))
    heard = Gate(pack, texts, say=say).hear(engines)
    verdict, rate = heard.verdict, pack.file.sample_rate
    if args.json:
        write_json(verdict, texts, args.json)
    if args.wav:
        write_waves(heard.reference, heard.candidate, rate, args.wav)
    if args.plot:
        at = verdict.worst_sentence
        title = f"{pack.file.name}: sentence {at + 1}, {', '.join(sorted(engines))}"
        draw(title, heard.reference[at], heard.candidate[at], rate, args.plot)
    print(table(verdict, as_markdown=args.markdown))
    print(summary(verdict, texts))
    return int(not verdict.passed)


def _texts(path: Path | None, count: int | None) -> list[str]:
    """The first `count` texts of the file, or of the held-out sentences."""
    if path is None:
        texts = held_out()
    else:
        try:
            texts = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BuildError(
                "not_comparable", f"cannot read {path}: {error}; name a text file in UTF-8"
            ) from error
    texts = [text for text in texts if text.strip()][:count]
    if not texts or (count is not None and count < 1):
        raise BuildError("not_comparable", "there is no sentence to compare; name one at least")
    return texts


def _built(pack: VoicePack, store: Store) -> dict[str, Session]:
    """Sessions by graph of what was built here; nothing stands in for what one cannot do.

    Raises:
        BuildError: not_built.
        EngineError: an engine cannot be used.
    """
    opened = open_engines(pack, store, RuntimeOptions().threads, gpu_openers(pack, OneGpu()))
    for error in opened.refused.values():
        raise error
    if not opened.sessions:
        raise BuildError(
            "not_built",
            f"this box has no engines of {pack.file.name} beside the voice's own graphs; run "
            f"python -m trt_build build {pack.folder}, or name candidates with --candidate",
        )
    return opened.sessions


def _candidates(named: list[str], settings: dict[str, str]) -> dict[str, Session]:
    """Sessions by graph of GRAPH=FILE each."""
    threads, out = RuntimeOptions().threads, dict[str, Session]()
    for name, _, file in (item.partition("=") for item in named):
        if name not in GRAPHS or not file:
            raise BuildError(
                "candidate_unknown",
                f"--candidate takes GRAPH=FILE, GRAPH one of {', '.join(GRAPHS)}; got {name!r}",
            )
        out[name] = OrtSession(Path(file), threads(name), settings, UNSAFE_IN_FP16)
    return out
