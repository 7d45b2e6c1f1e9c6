"""Pictures of synthesised speech.

Shapes: T frames of the synthesis, U frames of the real recording, M mel bands, R steps, S source length.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAX_LABELS = 45
"""Maximum number of pieces that label the alignment; more are hard to read."""


def plot_speech(
    path: Path,
    energies_TM: NDArray[np.floating],
    real_UM: NDArray[np.floating],
    attention_RS: NDArray[np.floating],
    labels: Sequence[str],
) -> None:
    """Draws the spectrogram of the synthesis above that of the real recording, and the alignment below.

    Args:
        path: the output PNG file.
        energies_TM: log-mel energies of the synthesis.
        real_UM: of the real recording.
        attention_RS: weights over the source at each step.
        labels: the pieces of the source.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 6.4), layout="constrained")
    upper, middle, lower = figure.subplots(3, 1)
    bounds = {"vmin": float(min(energies_TM.min(), real_UM.min())), "vmax": float(max(energies_TM.max(), real_UM.max()))}
    for axes, values, title in ((upper, energies_TM, "synthesis"), (middle, real_UM, "real recording")):
        axes.imshow(values.T, origin="lower", aspect="auto", cmap="magma", **bounds)
        axes.set_title(title, loc="left", fontsize=9)
        axes.set_ylabel("mel band")
    lower.imshow(attention_RS.T, origin="lower", aspect="auto", cmap="Blues", vmin=0.0, vmax=1.0)
    lower.set_title("attention", loc="left", fontsize=9)
    lower.set_xlabel("step")
    if len(labels) <= MAX_LABELS and len(labels) == attention_RS.shape[1]:
        lower.set_yticks(range(len(labels)), labels, fontsize=7)
    figure.savefig(path, dpi=110)
