"""What a person sees: progress on one line and colour on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import select
import shutil
import sys
import time
from typing import TextIO


def shows_colour(stream: TextIO) -> bool:
    """Whether it is a terminal that takes colour, and nobody has asked for none (no-color.org)."""
    dumb = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not dumb


def room() -> int:
    """Columns of standard output; without a terminal as many as there may be."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


class Progress:
    """Says on stderr what is going on; nothing at all when `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._dim = "\033[2m{}\033[0m" if shows_colour(sys.stderr) else "{}"
        self._began = time.monotonic()
        self._shown = ""

    def tell(self, text: str) -> None:
        """The step at hand; on a terminal it replaces the last one and shows the seconds."""
        if self._quiet or (text == self._shown and not self._live):
            return
        self._shown = text
        if self._live:
            seconds = time.monotonic() - self._began
            sys.stderr.write("\r\033[K" + self._dim.format(f"{text} ({seconds:.1f} s)"))
        else:
            sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def clear(self) -> None:
        if self._live and self._shown and not self._quiet:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
        self._shown = ""

    def warn(self, text: str) -> None:
        self.clear()
        print(f"\033[33m{text}\033[0m" if shows_colour(sys.stderr) else text, file=sys.stderr)


def flush() -> None:
    """Raises BrokenPipeError where nobody reads what was printed."""
    if sys.stdout is not None:
        sys.stdout.flush()


def check_read() -> None:
    """Raises BrokenPipeError where nobody will read what is printed, before it is."""
    try:
        output = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):  # there is none, or no file
        return
    watch = select.poll()
    watch.register(output, 0)
    if any(seen & select.POLLERR for _, seen in watch.poll(0)):
        raise BrokenPipeError


def let_go() -> None:
    """What is still printed, at the process's end too, goes nowhere."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def fail(text: str) -> None:
    """An error, on stderr."""
    red = "\033[31m{}\033[0m" if shows_colour(sys.stderr) else "{}"
    print(red.format(f"sambertctl: {text}"), file=sys.stderr)
