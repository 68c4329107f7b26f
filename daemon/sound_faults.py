"""What is wrong with the sound, in words: who holds a card, who may open it, what errors mean."""

from __future__ import annotations

import os
from pathlib import Path

SND = Path("/dev/snd")
PROC = Path("/proc")
GROUP = (
    "be in the group audio: `sudo usermod -aG audio $USER`, then log in again "
    "(a service: SupplementaryGroups=audio)"
)
SERVER = (
    "a sound server that does not run, or that this user cannot reach? See `pactl info` or "
    "`systemctl --user status pipewire-pulse pulseaudio`; a service needs PULSE_SERVER, or "
    "--device with the card's own name"
)
MEANINGS = {  # of PortAudio's codes
    -9985: "it is in use",
    -9993: "it is gone, or cannot play so many channels",
    -9996: "it is gone; plug it in",
    -9997: "it does not take this rate",
    -9998: "it has not so many channels; lower speaker.channels",
    -9999: SERVER,
}
UNAVAILABLE = -9985


def explain(error: Exception | None, snd: Path = SND, proc: Path = PROC) -> str:
    """What PortAudio says of an error, and what that means."""
    if error is None or not error.args:
        return "unknown reason"
    said = str(error.args[0])
    code = error.args[1] if len(error.args) > 1 else None
    meaning = MEANINGS.get(code) if isinstance(code, int) else None
    if code == UNAVAILABLE and (held := holders(snd, proc)):
        meaning = f"in use by {held}: stop that, or choose a sound server's device (`pulse`)"
    return f"{said} ({meaning})" if meaning else said


def no_device(snd: Path = SND, proc: Path = PROC) -> str:
    """Why PortAudio lists no output, and what helps."""
    cards = _players(snd)
    if not cards:
        return (
            f"the kernel has no sound card (nothing in {snd} plays) and no sound server answers: "
            "plug a card in and see `aplay -l`, or start the server and see `pactl info`, or speak "
            "to nobody with --device null"
        )
    if closed := closed_card(snd):
        return closed
    if held := holders(snd, proc):
        return f"the card is in use by {held}: stop that, or run a sound server that mixes"
    return f"PortAudio finds none, though {cards[0]} is there: see `aplay -l` and ~/.asoundrc"


def closed_card(snd: Path = SND) -> str:
    """A card that this user may not open, and the cure; or ""."""
    closed = [card for card in _players(snd) if not may_open(card)]
    return f"this user may not open {closed[0]}: {GROUP}" if closed else ""


def may_open(path: Path) -> bool:
    """Whether this process may play on a device file."""
    return os.access(path, os.R_OK | os.W_OK, effective_ids=True)


def holders(snd: Path = SND, proc: Path = PROC) -> str:
    """The programs that have a card open for playing: "mpv (pid 71), sambertd (pid 9)"; or ""."""
    cards = {str(card) for card in _players(snd)}
    found = {link.parts[-3] for link in proc.glob("[0-9]*/fd/*") if _leads_to(link) in cards}
    return ", ".join(f"{_program(proc / pid)} (pid {pid})" for pid in sorted(found, key=int))


def _players(snd: Path) -> list[Path]:
    return sorted(snd.glob("pcmC*D*p"))


def _leads_to(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _program(process: Path) -> str:
    try:
        return (process / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "a program"
