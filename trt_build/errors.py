"""What can go wrong on the way from graphs to engines, told to people.

BuildError (`code` for programs, the message names the cure):
    platform_unsupported  NVIDIA publishes no TensorRT-RTX for this machine or Python
    folder_taken          the folder for TensorRT-RTX holds something else
    folder_unwritable     the folder for TensorRT-RTX cannot be written, or the disk is full
    download_offline      PyPI cannot be reached
    download_failed       PyPI answered, but not with the files that are pinned here
    library_missing       TensorRT-RTX has not been fetched
    library_broken        what was fetched cannot be loaded
    graph_unreadable      a file is no ONNX graph
    rule_broken           a graph breaks a rule of trt_build/rules.py
    dimension_unknown     a graph has a dynamic dimension whose range nobody states
    graph_refused         TensorRT's parser does not take a graph
    profile_refused       TensorRT does not take the shapes a graph is to be built for
    build_failed          TensorRT takes the graph but cannot build it
    rung_unsupported      a graph has no form in this precision for this backend
    device_memory         the GPU's memory did not suffice for the build
    workspace_small       no kernel of some layer does with the memory it may have
    build_cancelled       whoever waited for the build stopped it
    build_memory          a build took more of the machine's memory than it may
    build_timeout         a build took longer than it may
    build_killed          a build was killed, perhaps by the kernel
    build_crashed         a build crashed
    disk_full             there is no room for a plan, a candidate or a calibration
    cannot_write          a file may not be written where it should go
    weak_typing_unsupported  this TensorRT has no weak typing, or none to rely on
    backend_missing       this box has not what a backend needs
    precision_unknown     a backend has no such rung
    not_built             this box has no engines of a voice
    nothing_named         it is not said what to remove
    nothing_to_change     a graph has nothing that this precision changes
    tensorrt_unusable     TensorRT is there but does not start
    no_texts              there is nothing to calibrate with
    too_short             the calibration texts give too little speech
    range_not_finite      a value in a graph is NaN or infinite
    calibration_missing   there is no calibration
    calibration_broken    a calibration file is damaged or of another format
    calibration_stale     a calibration is unfinished, or of other graphs
    range_missing         a layer is to run in INT8 whose range nobody knows
    group_unknown         a graph has no such group of layers
    prove_missing         a package that the audio gate measures with is not installed
    not_comparable        two sets of utterances that the audio gate cannot compare
    tape_ended            FP32 speaks more than the candidate whose pace it keeps
    candidate_unknown     a candidate for a graph that voices do not have
"""

from __future__ import annotations

import errno
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class BuildError(Exception):
    """A graph cannot be built; the message says what to do about it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def cannot_write(path: Path, error: OSError, options: str = "--store") -> BuildError:
    """What to tell of a file that could not be written. options: that name another place."""
    full = error.errno in FULL
    cure = "free some space there" if full else f"name a place you may write with {options}"
    return BuildError(
        "disk_full" if full else "cannot_write",
        f"cannot write {path}: {error.strerror}; {cure} and run it again, it goes on where it "
        "stopped. The engines in use are untouched",
    )
