"""Pictures of synthesised speech.

Shapes: T frames of the synthesis, U frames of the real recording, M mel bands, R steps, S source length.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.evaluation.drawing.plots import save_figure

MAX_LABELS = 45
"""Maximum number of pieces that label the alignment; more are hard to read."""


def plot_speech(
    path: Path,
    energies_TM: NDArray[np.floating],
    real_UM: NDArray[np.floating] | None,
    attention_RS: NDArray[np.floating],
    labels: Sequence[str],
    frame_seconds: float,
) -> None:
    """Draws the spectrogram of the synthesis, under it that of the real recording, and at the bottom the alignment.

    Args:
        path: the output PNG file.
        energies_TM: log-mel energies of the synthesis.
        real_UM: of the real recording; None: there is none.
        attention_RS: weights over the source at each step.
        labels: the pieces of the source.
        frame_seconds: from the start of a frame to the start of the next.
    """
    from matplotlib.figure import Figure

    spectra = {"synthesis": energies_TM} | ({} if real_UM is None else {"real recording": real_UM})
    figure = Figure(figsize=(7.0, 1.6 + 1.6 * (len(spectra) + 1)), dpi=110, layout="constrained")
    *uppers, lower = figure.subplots(len(spectra) + 1, 1)
    lowest = min(float(values.min()) for values in spectra.values())
    highest = max(float(values.max()) for values in spectra.values())
    for axes, (title, values) in zip(uppers, spectra.items(), strict=True):
        extent = (0.0, len(values) * frame_seconds, 0.0, values.shape[1])
        axes.imshow(values.T, origin="lower", aspect="auto", cmap="magma", vmin=lowest, vmax=highest, extent=extent)
        axes.set_title(title, loc="left", fontsize=9)
        axes.set_ylabel("mel band")
    extent = (0.0, len(energies_TM) * frame_seconds, 0.0, attention_RS.shape[1])
    lower.imshow(attention_RS.T, origin="lower", aspect="auto", cmap="Blues", vmin=0.0, vmax=1.0, extent=extent)
    lower.set_title("attention", loc="left", fontsize=9)
    lower.set_xlabel("seconds")
    if len(labels) <= MAX_LABELS and len(labels) == attention_RS.shape[1]:
        lower.set_yticks(np.arange(len(labels)) + 0.5, labels, fontsize=7)
    save_figure(figure, path)
