"""Minutes of everyday life and worse, with a live daemon: eight clients, garbage, a speaker.

    python -m benchmarks.soak [--minutes N] [--seed N] [--json FILE] [--plot FILE]

Chinese, English, numbers, emoji, long, empty; cancels, pauses, appended text, keys, deadlines, all
priorities; clients that vanish, read slowly or not at all; garbage on the socket. The daemon speaks
with the built-in voice and plays into a PulseAudio without a card, where that is installed. The
exit code is 1 where a rule is broken: an error nobody asked for, a request without its one end,
an error in the log, or (of three minutes or more) memory in quiet moments that is not flat within
5 % after the first fifth.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.soak.page import figures, plot, table
from benchmarks.soak.run import soak
from benchmarks.speed import machine


def main(argv: list[str] | None = None) -> int:
    """Run, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the clients (default 0)")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("--plot", type=Path, help="draw memory and answers over the time")
    args = parser.parse_args(argv)
    outcome = soak(60 * args.minutes, args.seed)
    print(table(outcome))
    if args.json:
        facts = {"machine": machine(), **figures(outcome)}
        args.json.write_text(json.dumps(facts, ensure_ascii=False) + "\n", "utf-8")
    if args.plot:
        plot(outcome, args.plot)
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    sys.exit(main())
