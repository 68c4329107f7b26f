"""`python -m training`: recordings of words in, a voice out."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

EPILOGUE = """\
Stages: prepare (decode, trim, mel, f0, symbols), align (which frames are which phone), acoustic
(SAMBERT), vocoder (HiFi-GAN), export (the voice pack). A finished stage is skipped and an
interrupted one goes on from its last checkpoint, so the same command can be given again at any
time. acoustic and vocoder need nothing of each other: two shells can run them side by side. Each
leaves curves.png and samples in its folder while it trains. relabel reads the words of a prepared
corpus again after the text front end has changed; align must then be run again.

Recordings: files named after the Chinese characters they say, such as 你好.mp3 or cmn-你好.mp3.
The built-in voice is made of words read by Yue Tan, free under CC BY-SA 3.0: folder 96k/hsk of
github.com/hugolpz/audio-cmn. It holds 8,596 recordings; prepare can use 8,569 of them.

  git clone --depth 1 https://github.com/hugolpz/audio-cmn
  python -m training --data audio-cmn/96k/hsk --out run

small takes some hours on two CPU cores; full is KAN-TTS's own size and wants a GPU and days.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(
        prog="python -m training",
        description="Train a Mandarin voice from recordings of words.",
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    out.add_argument("--data", type=Path, help="folder of recordings (needed to prepare)")
    out.add_argument("--out", type=Path, required=True, help="folder of this training")
    out.add_argument(
        "--preset", choices=("small", "full", "tiny"), default="small", help="default: small"
    )
    stages = ("all", "prepare", "align", "acoustic", "vocoder", "export", "relabel")
    out.add_argument("--stage", choices=stages, default="all", help="default: all, in this order")
    out.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    out.add_argument("--threads", type=int, help="CPU threads of PyTorch")
    out.add_argument("--seed", type=int, default=0)
    out.add_argument("--limit", type=int, help="prepare only the first so many recordings")
    out.add_argument("--name", default="yue", help="name of the voice pack (default: yue)")
    out.add_argument(
        "--licence",
        default="CC-BY-SA-3.0",
        help="licence of the pack: that of your recordings, if it asks to share alike "
        "(default: CC-BY-SA-3.0, as the recordings named below, whose credits then go into it)",
    )
    return out


def main(argv: list[str] | None = None) -> int:
    """Run the stages asked for; 0 when done, 1 with a message when they cannot."""
    args = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    import torch

    from training.errors import TrainingError
    from training.stages import STAGES, Recipe, run

    if args.threads:
        torch.set_num_threads(args.threads)
    recipe = Recipe(
        args.data,
        args.out,
        args.preset,
        args.device,
        args.seed,
        args.limit,
        args.name,
        args.licence,
    )
    try:
        for stage in STAGES if args.stage == "all" else (args.stage,):
            run(recipe, stage)
    except TrainingError as error:
        print(f"{error} [{error.code}]", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
