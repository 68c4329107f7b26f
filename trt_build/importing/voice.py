"""A voice of KAN-TTS or ModelScope, written as a voice pack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from engines.ort_session import OrtSession
from engines.pack import VoicePack
from engines.voice import Voice
from trt_build.calibration import CALIBRATION, sentences
from trt_build.export.agreement import Agreement
from trt_build.export.config import acoustic_params
from trt_build.export.pack import VoiceCard, carry_over, export_voice, set_window, words_of
from trt_build.importing.card import card
from trt_build.importing.models import Models, read_models
from trt_build.importing.origin import OriginFile
from trt_build.importing.pitch import MEAN_STD, MVN, source_stats
from trt_build.importing.rate import sample_rate
from trt_build.importing.request import Request
from trt_build.importing.sample import TEXT, write_sample
from trt_build.importing.summary import Summary, summary
from trt_build.importing.window import acoustic_model, sayable, widest_band, window_for
from trt_build.progress import Progress
from trt_build.staging import staging

COMPARED = 3  # calibration sentences, every other one the voice can say
OWN = ("sample.wav", "sample.png")  # of the voice that was there before


def import_voice(request: Request, progress: Progress) -> Summary:
    """Write the pack, or leave everything as it was.

    Raises:
        ExportError: any code of `trt_build.export.errors`.
        EngineError: a table of the voice cannot be read, or the finished pack cannot speak.
    """
    with staging(request.out, OWN) as place:
        pack = place / "pack"
        models = read_models(request, place / "unpacked", progress)
        words, kept = _words(request)
        _export(request, words, models, pack, progress)
        texts = sayable(pack, sentences())
        if not VoicePack(pack).file.acoustic.band:
            progress("measuring how far the decoder looks, on the calibration sentences")
            band = widest_band(pack, texts)
            set_window(pack, window_for(band))
            models.facts["widest band seen"] = f"{band} decoder steps"
        progress("comparing the graphs with the PyTorch models")
        compared = texts[: 2 * COMPARED : 2]
        agreement = _compared(pack, models, compared)
        models.notes += [
            f"this model amplifies rounding: PyTorch's own {name} is {own:.1e} from FP64, so the "
            "graph was compared with FP64 too"
            for name, own in agreement.rounding.items()
        ]
        progress("speaking a sample")
        text = sayable(pack, [TEXT, *texts])[0]
        seconds = write_sample(pack, text)
        models.facts["sample.wav"] = f"{seconds:.1f} s"
        kept += carry_over(request.out, pack)
        models.notes += [f"kept as the earlier pack has it: {', '.join(kept)}"] if kept else []
        done = summary(pack, models.facts, models.notes, agreement.worst)
        files = [OriginFile.of(path, models.voice.root) for path in models.files.values()]
        readme = card(done, words["licence"], files, len(compared), text)
        (pack / "README.md").write_text(readme, "utf-8")
    return done


def _words(request: Request) -> tuple[dict[str, str], list[str]]:
    """Name, language and licence to write, and which of them an earlier pack has to thank for."""
    usual = {"name": request.out.resolve().name, "language": "zh-CN", "licence": "unknown"}
    given = {key: value for key in usual if (value := getattr(request, key)) is not None}
    earlier = words_of(request.out)
    kept = [key for key, value in earlier.items() if key not in given and value != usual[key]]
    return {**usual, **earlier, **given}, kept


def _export(
    request: Request, words: Mapping[str, str], models: Models, pack: Path, progress: Progress
) -> None:
    voice, generator = models.voice, models.generator
    rate = sample_rate(voice, generator.config.hop_length, request.sample_rate)
    models.facts["sample rate from"] = rate.origin
    params = acoustic_params(voice.am.folder)
    source = source_stats(voice.am, params, generator)
    if source is not None and params.get("nsf_norm_type", MEAN_STD) == MEAN_STD:
        models.files["mvn"] = voice.am.folder / MVN
    progress("exporting six graphs")
    export_voice(
        pack,
        card=VoiceCard(
            name=words["name"],
            language=words["language"],
            licence=words["licence"],
            fallback=models.fallback,
            texts={"calibration.txt": CALIBRATION.read_text("utf-8")},
        ),
        sambert=models.sambert,
        generator=generator,
        table=models.table,
        source=source,
        statistics={},
        sample_rate=rate.hz,
    )


def _compared(folder: Path, models: Models, texts: Sequence[str]) -> Agreement:
    """The graphs beside the models on these texts; refuses any that differ."""
    pack = VoicePack(folder)
    vocoder = OrtSession(pack.graphs["vocoder"], 2)
    agreement = Agreement(models.sambert, models.generator, acoustic_model(pack), vocoder)
    with Voice.load(folder) as voice:
        for text in texts:
            plan = voice.plan(text)
            for part in plan.parts:
                agreement.compare(part.ids, plan.controls, pack.file)
    agreement.check()
    return agreement
