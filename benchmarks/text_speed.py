"""How fast text is read, how soon, and in how much memory.

    python -m benchmarks.text_speed [--runs N] [--json FILE]

Each run is a process of its own. No sentence is read twice, so what the front end remembers of
numbers does not count. Times are those of this thread's processor: another process that takes the
processor away is no part of them.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
LENGTHS: Final = (10, 30, 60, 200)  # characters
SENTENCES: Final = 200  # of each length and kind
MOST: Final = {
    "first call, s": 1.0,
    "memory, MB": 150.0,
    "30 plain p50": 5.0,
    "30 numbers p50": 5.0,
}
_CLAUSES: Final = (
    "今天天气真好", "阳光洒在窗台上", "请您到等候区休息", "我泡了一杯咖啡", "电梯正在上行",
    "前方路口左转", "会议室在二楼", "听到叫号再办理", "感谢您的耐心等待", "准备开始一天的工作",
)  # fmt: skip
_NUMBERS: Final = (
    "现在{h}:{m}", "今天{M}月{D}日", "请到{d}号窗口", "一共{d}.{m}元", "还需要{m}分钟",
    "湿度{d}%", "气温{d}℃", "请A{m}{d}号", "共{d}{m}人", "打{d}折",
)  # fmt: skip


def sentences(length: int, *, numbers: bool, seed: int = 1) -> Iterator[str]:
    """Sentences of about so many characters; every third clause of them has a number in it."""
    chance = random.Random(seed * 1000 + length)
    while True:
        text = ""
        while len(text) < length - 3:
            counted = numbers and chance.random() < 0.4
            clause = _number(chance) if counted else chance.choice(_CLAUSES)
            text += ("，" if text else "") + clause
        if not numbers or any(character.isdigit() for character in text):
            yield text[:length] + "。"


def _number(chance: random.Random) -> str:
    fields = {"h": 23, "M": 12, "D": 28, "d": 99}
    values = {name: chance.randint(1, most) for name, most in fields.items()}
    return chance.choice(_NUMBERS).format(m=chance.randint(10, 59), **values)


def measure() -> dict[str, float]:
    """The figures of this process, which has loaded nothing yet."""
    start = time.process_time()
    from engines.text.frontend import FrontEnd  # loading it is part of what is measured

    loaded = time.process_time()
    front_end = FrontEnd()
    front_end.read("今天是2026年11月22日，气温-5℃。")
    figures = {
        "import, s": loaded - start,
        "first call, s": time.process_time() - loaded,
    }
    for length in LENGTHS:
        for kind in ("plain", "numbers"):
            source = sentences(length, numbers=kind == "numbers")
            taken: list[float] = []
            for _ in range(SENTENCES):
                text = next(source)
                begun = time.thread_time()
                front_end.read(text)
                taken.append(1000 * (time.thread_time() - begun))
            taken.sort()
            figures[f"{length} {kind} p50"] = taken[SENTENCES // 2]
            figures[f"{length} {kind} p99"] = taken[SENTENCES * 99 // 100]
    figures["memory, MB"] = _resident_mb()
    return figures


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def medians(runs: int) -> dict[str, float]:
    """Of so many processes, each figure's median."""
    found = []
    for _ in range(runs):
        command = [sys.executable, "-m", "benchmarks.text_speed", "--child"]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        found.append(json.loads(done.stdout))
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


def table(figures: Mapping[str, float]) -> Iterator[str]:
    """Lines of two Markdown tables."""
    yield "| loading | |"
    yield "|---|---:|"
    for name in ("import, s", "first call, s", "memory, MB"):
        yield (
            f"| {name} | {figures[name]:.2f} |"
            if name[-1] == "s"
            else f"| {name} | {figures[name]:.0f} |"
        )
    yield ""
    yield "| characters | plain, p50 ms | p99 | with numbers, p50 ms | p99 |"
    yield "|---:|---:|---:|---:|---:|"
    for length in LENGTHS:
        row = [
            f"{figures[f'{length} {k} {p}']:.2f}"
            for k in ("plain", "numbers")
            for p in ("p50", "p99")
        ]
        yield f"| {length} | {' | '.join(row)} |"


def low(figures: Mapping[str, float]) -> list[str]:
    """What is over its limit."""
    return [name for name, most in MOST.items() if figures[name] > most]


def main(argv: list[str] | None = None) -> int:
    """Print the tables; 1 where a figure is over its limit."""
    arguments = _parser().parse_args(argv)
    if arguments.child:
        print(json.dumps(measure()))
        return 0
    figures = medians(arguments.runs)
    print("\n".join(table(figures)))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    over = low(figures)
    if over:
        print(f"over the limit: {', '.join(over)}", file=sys.stderr)
    return int(bool(over))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks.text_speed", description="Measure how fast text is read."
    )
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="processes (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
