"""Turn a voice of ModelScope or KAN-TTS into a voice pack that sambertd speaks with.

MODEL_DIR is what ModelScope downloads (voices/NAME/{am,voc}, or voices.zip), what KAN-TTS's
training leaves (a folder for the acoustic model and one for the vocoder, whatever they are called),
or a zip file of either. Nothing in it is run. Where anything is wrong, the import says what to do
and leaves --out as it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from shlex import quote

from trt_build.export.errors import ExportError
from trt_build.progress import Progress, ending_in_order

NAME = "import"
HELP = "a voice of ModelScope or KAN-TTS to a voice pack"
EXAMPLES = """examples:
  python -m trt_build import speech_sambert-hifigan_tts_zhitian_emo_zh-cn_16k --out voices/zhitian
  python -m trt_build import work_dir --out voices/mine --speaker F7 --licence CC-BY-4.0
  python -m trt_build import --am am/ckpt/checkpoint_90000.pth --voc voc --out voices/mine
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `import`."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "model_dir", nargs="?", type=Path, metavar="MODEL_DIR", help="folder or zip file of a voice"
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="voices/NAME", help="the voice pack to write")
    which = parser.add_argument_group("which models")
    which.add_argument("--voice", metavar="NAME", help="where MODEL_DIR holds several voices")
    which.add_argument(
        "--am", type=Path, metavar="PATH", help="folder or .pth of the acoustic model, with --voc"
    )
    which.add_argument("--voc", type=Path, metavar="PATH", help="folder or .pth of the vocoder")
    which.add_argument(
        "--tables",
        type=Path,
        metavar="DIR",
        help="folder with the PhoneSet.xml and tonelist.txt the voice was trained with; else "
        "resource/PinYin of the voice, of MODEL_DIR or in resource.zip, else KAN-TTS's own",
    )
    who = parser.add_argument_group("who it can be")
    who.add_argument(
        "--speaker",
        action="append",
        default=[],
        metavar="NAME[=SE.npy]",
        help="a speaker to offer, the first is the default; can be repeated (else all). A voice of "
        "speaker embeddings takes any name and the file of its embedding (else am/se.npy)",
    )
    who.add_argument(
        "--emotion",
        action="append",
        default=[],
        metavar="NAME",
        help="an emotion to offer beside neutral; can be repeated (else all that KAN-TTS names, "
        "whether the voice was trained on them or not)",
    )
    said = parser.add_argument_group("what is said of it, else as an earlier pack in --out says it")
    said.add_argument("--name", help="of the voice (the name of --out)")
    said.add_argument("--language", help="tag of its language (zh-CN)")
    said.add_argument("--licence", help="for you to check (unknown)")
    said.add_argument(
        "--sample-rate", type=int, metavar="HZ", help="where the voice's files do not say it"
    )


def run(args: argparse.Namespace) -> int:
    """Import one voice; the summary goes to stdout, progress to stderr."""
    if bool(args.am) != bool(args.voc):
        raise ExportError("voice_missing", "give --am and --voc together, or MODEL_DIR alone")
    from trt_build.importing.request import Request
    from trt_build.importing.speakers import Wish
    from trt_build.importing.voice import import_voice

    given = {key: value for key, value in vars(args).items() if key in Request.__slots__}
    given["speakers"] = [Wish.parse(text) for text in args.speaker]
    given["emotions"] = args.emotion
    out: Path = args.out
    progress = Progress()
    with ending_in_order():
        made = import_voice(Request(**given), progress)
    progress(f"done: {out}")
    print(made.text())
    print(f"listen to {out / 'sample.wav'}, then let the daemon speak with it:\n")
    print(f"  sambertd --voices {quote(str(out.resolve().parent))} &")
    print(f"  sambertctl say --voice {quote(made.name)} --out hello.wav 你好，很高兴见到你。")
    return 0
