"""What must hold before the first stage of a graph runs: known names, and inputs that exist."""

from __future__ import annotations

from flows.graph.stage_choices import refuse_unknown
from flows.graph.stage_graph import GraphStatus, StageGraph
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import ConfigError, MissingInput

CORPORA = "data/raw/"


def check_names(graph: StageGraph, settings: Settings, forced: frozenset[str]) -> None:
    """Checks that the graph has every stage that the settings and ``force`` name.

    Args:
        graph: the stages.
        settings: ``runtime.flow.stages`` names stages.
        forced: the stages of ``force``.

    Raises:
        ConfigError: a policy is for an unknown stage.
        UserError: ``force`` names an unknown stage.
    """
    known = {*graph.stages, *(stage.partition("@")[0] for stage in graph.stages)}
    listed = ", ".join(graph.stages)
    flow = settings.runtime.flow
    given = flow.stages if "stages" in flow.model_fields_set else {}
    if faults := [f"runtime.flow.stages.{name}: must be a stage of dvc.yaml ({listed})" for name in given if name not in known]:
        raise ConfigError(faults, "params.yaml")
    refuse_unknown(forced, graph.stages)


def check_inputs(status: GraphStatus, settings: Settings, paths: Paths) -> None:
    """Checks that all input files which no stage makes exist.

    Args:
        status: names the missing inputs.
        settings: section ``corpus`` names the corpus folder.
        paths: the workspace; a relative corpus folder starts here.

    Raises:
        CorpusError: the corpus folder is missing; the message is that of the stage, which DVC would not start.
        MissingInput: another input is missing.
    """
    if not status.missing_inputs:
        return
    from seq2seq_core.corpus.reading import find_folder

    find_folder(settings.corpus, paths.root)
    path, stage = next(iter(status.missing_inputs.items()))
    raise MissingInput(f"{path}: no such file or folder; the stage {stage} reads it ({find_remedy(path)})")


def find_remedy(path: str) -> str:
    """Where a missing input comes from.

    Args:
        path: of the input, from the workspace.
    """
    tracked = "`dvc pull` fetches what DVC tracks"
    if not path.startswith(CORPORA):
        return tracked
    return f"`s2s sample-corpus` makes the bundled sample, `s2s configure --corpus FOLDER` takes your own corpus, {tracked}"
