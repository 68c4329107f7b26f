"""How far a daemon goes: python -m benchmarks.limits [--write] [--clients N]

Each limit is met from both sides on a live daemon with the built-in voice: what is still taken, and
the answer to one more. Memory is what the process has resident. --write puts the table into
docs/LIMITS.md. How fast and how soon is measured elsewhere: benchmarks.speed, soak, phrase_cache.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sambertd_client import Client, RefusedError

from benchmarks.live.process import SILENT, DaemonProcess
from benchmarks.sentences import SENTENCES
from benchmarks.speed import ROOT, machine

PAGE = ROOT / "docs/LIMITS.md"
VOICES = 4
MIB = 1 << 20
LONGEST_LIMIT = 5000  # that `text_chars` may be
MARKS = re.compile(r"(?<=<!-- measured -->\n).*(?=<!-- end -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Row:
    """One limit: what was seen, and how to have another."""

    what: str
    seen: str
    change: str


def text_rows(folder: Path) -> Iterator[Row]:
    """The longest text, as delivered and at most."""
    for chars, setting in (
        (2000, ""),
        (LONGEST_LIMIT, f"[limits]\ntext_chars = {LONGEST_LIMIT}\n"),
    ):
        with (
            DaemonProcess(folder, settings=SILENT + setting) as daemon,
            Client(daemon.endpoint, timeout=60) as client,
        ):
            with client.say("啊" * chars, credit=1) as speech:
                next(iter(speech))
            code = refusal(client, "啊" * (chars + 1))
        name = "at most" if setting else "as delivered"
        seen = f"{chars} characters; {chars + 1}: `{code}`"
        yield Row(
            f"text of one request, {name}",
            seen,
            "`[limits] text_chars`, up to 5000; longer: `append`",
        )


def queue_rows(folder: Path) -> Iterator[Row]:
    """How many utterances are taken at once, of one client and of all."""
    with DaemonProcess(folder) as daemon:
        with Client(daemon.endpoint, timeout=60) as client:
            own, code = fill(client)
            limits = client.hello().limits
        yield Row("live utterances of one client", f"{own}, then `{code}`", "`[limits] per_client`")
    with DaemonProcess(folder) as daemon, ExitStack() as stack:
        everyone = 0
        for _ in range(1 + (limits.in_work + limits.waiting) // own):
            number, code = fill(stack.enter_context(Client(daemon.endpoint, timeout=60)))
            everyone += number
        seen = f"{everyone}, then `{code}`"
        yield Row("live utterances of all clients", seen, "`[limits] in_work` + `waiting`")
        yield Row(
            "bytes of one frame", f"{limits.frame_bytes}", "none; a larger one ends the connection"
        )
        yield Row("audio messages on their way to a client", f"{limits.credit}", "none; credit")


def client_rows(folder: Path, wanted: int) -> Iterator[Row]:
    """Clients that are connected at once and all answered; what each takes of memory."""
    with DaemonProcess(folder) as daemon, ExitStack() as stack:
        before = daemon.holds()
        clients = [stack.enter_context(Client(daemon.endpoint, timeout=60)) for _ in range(wanted)]
        answered = sum(client.status().state == "ready" for client in clients)
        after = daemon.holds()
        spoken = sum(
            client.say("好").wait().why == "end" for client in clients[:: max(1, wanted // 8)]
        )
        each = (after.rss_bytes - before.rss_bytes) / wanted
        seen = f"{answered} of {wanted} answered, {spoken} asked to speak and did"
        yield Row("clients connected at once", seen, "none: 200 of a user, 2000 in all")
        files = (after.files - before.files) / wanted
        yield Row("memory per connected client", f"{each / 1024:.0f} KiB, {files:.1f} files", "-")


def voice_rows(folder: Path) -> Iterator[Row]:
    """What a daemon takes with one voice, and each more of them; ready, and after speech."""
    ready, spoken = [], []
    for count in (1, VOICES):
        voices = folder / f"voices{count}"
        for number in range(count):
            copy_voice(voices / f"v{number}", f"v{number}")
        with DaemonProcess(folder, voices) as daemon:
            ready.append(daemon.holds().rss_bytes)
            with Client(daemon.endpoint, timeout=120) as client:
                for number in range(count):
                    for text in SENTENCES[:4]:
                        client.say(text, voice=f"v{number}").wait()
            spoken.append(daemon.holds().rss_bytes)
    first = f"{ready[0] / MIB:.0f} MiB ready, {spoken[0] / MIB:.0f} MiB after four sentences"
    yield Row(
        "memory of a daemon with the built-in voice", first, "`[limits]`, `[cache] memory_mb`"
    )
    more = [(many - one) / (VOICES - 1) / MIB for one, many in (ready, spoken)]
    seen = f"{more[0]:.0f} MiB ready, {more[1]:.0f} MiB after four sentences"
    yield Row("memory per further voice of its size", seen, "`sambertctl unload`")


def cache_rows(folder: Path) -> Iterator[Row]:
    """How much speech the phrase cache holds as delivered, from what a known amount takes."""
    with (
        DaemonProcess(folder, phrases_mb=32) as daemon,
        Client(daemon.endpoint, timeout=60) as client,
    ):
        for text in SENTENCES[:4]:
            client.say(text).wait()
        stats = client.stats()
    seconds, cache = stats.audio_s, stats.cache
    assert cache is not None
    rate = cache.memory_bytes / seconds
    for where, mib in (("memory", 32), ("disk", 256)):
        name = f"phrases {'in' if where == 'memory' else 'on'} {where}, as delivered"
        seen = (
            f"{mib} MiB: {mib * MIB / rate / 60:.0f} min of speech, {rate / 1000:.0f} kB a second"
        )
        yield Row(name, seen, f"`[cache] {where}_mb`")


def refusal(client: Client, text: str) -> str:
    """The code of the refusal of a text; "" if it is taken."""
    try:
        with client.say(text, credit=1):
            return ""
    except RefusedError as error:
        return error.code


def fill(client: Client) -> tuple[int, str]:
    """Say long texts until one is refused: how many were taken, and the code of the refusal."""
    taken = 0
    while True:
        try:
            client.say("啊" * 500, credit=1)
        except RefusedError as error:
            return taken, error.code
        taken += 1


def copy_voice(to: Path, name: str) -> None:
    shutil.copytree(ROOT / "voices/yue", to)
    settings = to / "voice.toml"
    text = settings.read_text("utf-8")
    settings.write_text(re.sub(r'(?m)^name = ".*"', f'name = "{name}"', text), "utf-8")


def table(rows: list[Row]) -> str:
    lines = [f"| {row.what} | {row.seen} | {row.change} |" for row in rows]
    return "\n".join(["| what | seen | change it with |", "|---|---|---|", *lines])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="into docs/LIMITS.md")
    parser.add_argument("--clients", type=int, default=256, help="to connect at once")
    arguments = parser.parse_args()
    rows: list[Row] = []
    parts = (
        text_rows,
        queue_rows,
        lambda f: client_rows(f, arguments.clients),
        voice_rows,
        cache_rows,
    )
    for part in parts:
        with tempfile.TemporaryDirectory(prefix="sd-") as folder:
            for row in part(Path(folder)):
                print(f"{row.what}: {row.seen}", file=sys.stderr)
                rows.append(row)
    about = machine()
    said = f"{table(rows)}\n\nOn {about['processor']}, {about['cores']} cores.\n"
    print(said)
    if arguments.write:
        PAGE.write_text(MARKS.sub(lambda _: said, PAGE.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
