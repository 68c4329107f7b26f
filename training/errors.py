"""What can go wrong in the recipe, told to people.

TrainingError (`code` for programs, the message names the cure):
    data_not_found     the folder holds no recordings named after what they say
    data_unreadable    recordings are there, but none could be used
    stage_missing      a stage needs what an earlier one makes
    preset_mismatch    the run folder was started with other settings
    checkpoint_incomplete  a checkpoint lacks what is needed to go on from it
    device_missing     CUDA was asked for and is not there
    words_missing      too few words fit the preset
"""

from __future__ import annotations


class TrainingError(Exception):
    """The recipe cannot go on; the message says what to do about it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
