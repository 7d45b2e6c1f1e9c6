"""What answers of the exported model take, all as long as the corpus' own targets: an untrained model does not end its outputs."""

from __future__ import annotations

import math
import statistics
from itertools import islice

import numpy as np

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.served_bundle import find_served_bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import SOURCE, TARGET, iterate_pairs
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.preflight.probe_result import DecodingProbe, Timing
from seq2seq_core.preflight.stopwatch import Stopwatch
from seq2seq_core.training.data.inputs import TrainingInputs
from seq2seq_core.training.validation import DECODED_TOGETHER

DECODED_ROWS = 64
"""As many as export and evaluate decode together."""
NEVER_STOPS = 1.0 - 1e-9
"""A threshold of the end of speech that no probability of float32 but 1 reaches."""


def measure_decoding(settings: Settings, paths: Paths, inputs: TrainingInputs) -> DecodingProbe | None:
    """The time of answers to rows of the prepared test; None: it has no row.

    Args:
        settings: of the user, with the sample as the corpus.
        paths: the workspace of the sample.
        inputs: of its training.
    """
    pairs = list(islice(iterate_pairs(paths.prepared_split("test")), DECODED_ROWS))
    if not pairs:
        return None
    if inputs.target_model is None:
        return _speak(settings, paths, inputs, pairs)
    predictor = Predictor.from_folder(find_served_bundle(paths), settings.runtime.device, paths.prepared_files)
    tokenizer, device = predictor.bundle.target_tokenizer, predictor.bundle.device
    longest = max(len(ids) + 1 for ids in tokenizer.encode([pair[TARGET] for pair in pairs]))
    own = predictor.options
    options = own.override(max_length=max(longest, own.min_length, 1))
    endless = options.override(min_length=options.max_length)
    if predictor.engine_for(endless) is predictor.engine_for(options):  # CTranslate2 knows no fewest tokens
        options = endless
    sources = [pair[SOURCE] for pair in pairs]

    def timed(search: DecodingOptions) -> Timing:
        watch = Stopwatch(device)
        with watch.running():
            predictor.predict(sources, search, tags=pairs)
        return watch.timing

    predictor.predict(sources[:2], options, tags=pairs[:2])
    limit = own.length_limit(round(float(inputs.dev.source_lengths.mean())))
    return DecodingProbe(
        answers=timed(options),
        greedy=timed(options.override(beam_size=1)) if options.beam_size > 1 else None,
        own=timed(own),
        rows=len(pairs),
        most_share=max(1.0, limit / options.max_length),
    )


def _speak(settings: Settings, paths: Paths, inputs: TrainingInputs, pairs: list[dict[str, str]]) -> DecodingProbe:
    """The time of answers of a model of speech, all as long as the longest recordings of batches of dev: it cannot end earlier."""
    from seq2seq_core.registry.judges.judged_speech import open_judge

    judge = open_judge(find_served_bundle(paths), settings, paths)
    limit, sources = judge.max_frames, [pair[SOURCE] for pair in pairs]
    own, answers = Stopwatch(judge.bundle.device), Stopwatch(judge.bundle.device)
    with own.running():
        judge.predict(sources, tags=pairs)
    judge.max_frames = min(limit, math.ceil(_longest_together(inputs, len(inputs.dev), DECODED_ROWS)))
    judge.model.frames = judge.model.frames.model_copy(update={"stop_threshold": NEVER_STOPS})
    with answers.running():
        judge.predict(sources, tags=pairs)
    share = limit / judge.max_frames
    return DecodingProbe(answers=answers.timing, greedy=None, own=own.timing, rows=len(pairs), most_share=share)


def reference_share(inputs: TrainingInputs, limit: int) -> float:
    """The longest references of batches that a validation decodes together, as a share of the length limit.

    Args:
        inputs: of the sample's training.
        limit: of an output.
    """
    number = len(inputs.references)
    return min(1.0, _longest_together(inputs, number, DECODED_TOGETHER) / limit) if number else 1.0


def _longest_together(inputs: TrainingInputs, number: int, together: int) -> float:
    """The mean length of the longest targets of batches by length, of the first rows of dev."""
    order = np.argsort(inputs.dev.source_lengths[:number], kind="stable")
    lengths = inputs.dev.target_lengths[:number][order]
    return statistics.fmean(float(lengths[first : first + together].max()) for first in range(0, number, together))
