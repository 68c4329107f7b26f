"""The audio gate as the search for INT8 layers uses it, and what the search found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engines.session import Session
from engines.voice import RuntimeOptions
from trt_build.errors import BuildError, cannot_write
from trt_build.forms import Form
from trt_build.loss_plot import plot_losses
from trt_build.sensitivity import Choice, Ear, search
from trt_build.trial_log import Trial
from trt_build.verdict import Verdict

Judge = Callable[[Mapping[str, Session]], Verdict]
Say = Callable[[str], None]
LOSS = "share of the allowed loss that is used up"


@dataclass(slots=True)
class Hearing:
    """Judges candidates of one voice, and keeps what came of it.

    judge: the gate. name: of its sentences and limits. log: where trials are kept. choices: by
    graph and precision, the last of each.
    """

    judge: Judge
    name: str
    log: Path
    say: Say
    choices: dict[tuple[str, str], Choice] = field(default_factory=dict)

    def choose(self, form: Form, precision: str, *, rank: bool = False) -> Choice:
        """The groups of a form that pass the gate; rank: hear each alone, whatever the whole says.

        Raises:
            BuildError: gate_failed, no group passes; range_missing, rung_unsupported,
                prove_missing; disk_full, cannot_write.
        """
        graph = form.model.graph.name
        threads = RuntimeOptions().threads(graph)
        ear = Ear(
            lambda name, model: self.judge({name: form.session(model, threads)}),
            lambda verdict: verdict.strain,
            self.name,
        )
        try:
            choice = search(form, ear, self.log, self._told, rank=rank)
        except OSError as error:  # its log could not be written
            raise cannot_write(self.log, error) from error
        self.choices[graph, precision] = choice
        if form.groups and not choice.groups:
            raise BuildError("gate_failed", f"no part of {graph} bears {precision}")
        return choice

    def plot(self, path: Path) -> bool:
        """Draw what single groups lose, if any were heard alone.

        Raises:
            ModuleNotFoundError: matplotlib is not installed.
            BuildError: disk_full, cannot_write.
        """
        shown = [choice for choice in self.choices.values() if choice.alone]
        try:
            if shown:
                plot_losses(shown, path, LOSS)
        except OSError as error:
            raise cannot_write(path, error, "--plot or --store") from error
        return bool(shown)

    def _told(self, trial: Trial) -> None:
        what = trial.groups[0] if len(trial.groups) == 1 else f"{len(trial.groups)} groups together"
        result = "passes" if trial.passed else f"fails: {'; '.join(trial.reasons)}"
        self.say(f"{trial.graph}, {what}: {trial.loss:.0%} of the allowed loss, {result}")
