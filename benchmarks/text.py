"""How well text is read: numbers and signs, polyphones, tones and breaks, against written cases.

    python -m benchmarks.text [--cpp DIR] [--show] [--json FILE]

The tables of docs/TEXT.md. Cases lie in tests/data/text; the Chinese Polyphones with Pinyin set
(CPP) is Wikipedia's text under CC BY-SA and is not kept here: its files dev.sent and dev.lb are in
the folder `data` of https://github.com/kakaobrain/g2pM, named with --cpp.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks import text_scores
from benchmarks.text_scores import Score
from engines.text.frontend import FrontEnd
from engines.text.normalize import Normalizer
from engines.text.readings import Readings

DATA: Final = Path(__file__).parents[1] / "tests" / "data" / "text"
# Per cent that a set must reach.
LEAST: Final = {
    "WeTextProcessing": 99.0,
    "own cases": 100.0,
    "natural text": 99.0,
    "CPP development set": 96.9,
    "ttsfrd lines": 100.0,
    "KAN-TTS converter examples": 100.0,
}


def main() -> int:
    """Print the tables; 1 where a set falls below its limit."""
    arguments = _parser().parse_args()
    roles = text_scores.roles(Normalizer(), DATA / "cases.tsv")
    scores = list(_sets(arguments.cpp, roles))
    print("\n".join(table("set", scores)), "\n")
    print("\n".join(table("role of own cases", roles)))
    if arguments.show:
        for score in scores:
            for miss in score.misses:
                print(f"{score.name}: {miss.case}: {miss.said}, not {miss.expected}")
    if arguments.json:
        kept = json.dumps([asdict(score) for score in scores], ensure_ascii=False, indent=2)
        arguments.json.write_text(kept + "\n", encoding="utf-8")
    low = [score.name for score in scores if score.percent < LEAST[score.name]]
    if low:
        print(f"below the limit: {', '.join(low)}", file=sys.stderr)
    return int(bool(low))


def _sets(cpp: Path | None, roles: list[Score]) -> Iterator[Score]:
    yield text_scores.wetext(Normalizer(), DATA / "wetext")
    yield Score(
        "own cases",
        sum(role.right for role in roles),
        sum(role.total for role in roles),
        tuple(miss for role in roles for miss in role.misses),
    )
    front_end = FrontEnd()
    yield text_scores.natural(front_end, DATA / "natural.tsv")
    yield text_scores.ttsfrd(front_end, DATA)
    yield text_scores.converter(DATA)
    if cpp:
        print("reading the CPP set, about a minute ...", file=sys.stderr, flush=True)
        yield text_scores.cpp(Readings(), cpp)


def table(head: str, scores: list[Score]) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield f"| {head} | right | of | % |"
    yield "|---|---:|---:|---:|"
    for score in scores:
        yield f"| {score.name} | {score.right} | {score.total} | {score.percent:.2f} |"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks.text", description="Measure how well text is read."
    )
    parser.add_argument("--cpp", type=Path, metavar="DIR", help="folder of CPP's dev.sent, dev.lb")
    parser.add_argument("--show", action="store_true", help="also print what was read wrong")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    return parser


if __name__ == "__main__":
    sys.exit(main())
