"""Names the training states that ``s2s train`` would go on from, one a line: ``python -m seq2seq_core.cli.training_names FOLDER``.

A worker asks for them before it fetches states that another machine has left.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from seq2seq_core.artifacts import Paths


def name_trainings(paths: Paths) -> list[str]:
    """The names of the states of a workspace's training and of its first phases.

    Args:
        paths: the workspace; reads ``params.yaml`` and ``data/tokenized``.

    Raises:
        Seq2SeqError: the settings, the corpus or the initial weights cannot be read; the message is that of ``s2s train``.
    """
    from seq2seq_core.cli.initial_weights_option import pin_initial_weights
    from seq2seq_core.config.settings import load_settings
    from seq2seq_core.serving.found_models import find_judges
    from seq2seq_core.training.data.inputs import read_inputs
    from seq2seq_core.training.state.phase_states import PhaseStates

    settings, _ = pin_initial_weights(load_settings(paths.params), paths)
    inputs = read_inputs(paths.tokenized, settings.train.dev_sentences)
    inputs = replace(inputs, judges=find_judges(settings.train, paths))
    states = PhaseStates.of(paths.training_state, settings.model, inputs.pin_judges(settings.train), inputs.digests)
    return [key.folder_name for key in states.keys]


if __name__ == "__main__":
    sys.stdout.writelines(f"{name}\n" for name in name_trainings(Paths(Path(sys.argv[1]))))
