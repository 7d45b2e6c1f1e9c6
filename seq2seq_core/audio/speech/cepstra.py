"""How far two recordings differ: mel-cepstral distortion along the best alignment in time.

Shapes: T frames of one, U frames of the other, M mel bands, C coefficients.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NUM_COEFFICIENTS = 13
"""Mel-cepstral coefficients that are compared; the one of loudness (0) is left out, as usual (Kubichek 1993)."""
Floats = NDArray[np.float64]


def mel_cepstra(energies_TM: NDArray[np.floating]) -> Floats:
    """Coefficients 1 to C, cepstra_TC: log amplitude of band m = sum over c of cepstra_c cos(pi c (m + 1/2) / M).

    Args:
        energies_TM: natural logarithms of power.
    """
    amplitude_TM = 0.5 * energies_TM.astype(np.float64)
    bands = amplitude_TM.shape[1]
    orders_C = np.arange(1, min(NUM_COEFFICIENTS, bands - 1) + 1)
    waves_MC = np.cos(np.pi * orders_C * (np.arange(bands)[:, None] + 0.5) / bands)
    cepstra_TC: Floats = amplitude_TM @ waves_MC * (2.0 / bands)
    return cepstra_TC


def warp(costs_TU: Floats) -> list[tuple[int, int]]:
    """The cheapest way from the first pair of frames to the last, by steps of one frame on one side or both (Sakoe and Chiba 1978).

    Args:
        costs_TU: of each pair of frames; at least one.
    """
    num_t, num_u = costs_TU.shape
    totals = np.full((num_t + 1, num_u + 1), np.inf)
    totals[0, 0] = 0.0
    for number in range(2, num_t + num_u + 1):  # cells of an anti-diagonal depend on earlier ones alone
        t = np.arange(max(1, number - num_u), min(num_t, number - 1) + 1)
        u = number - t
        least = np.minimum(np.minimum(totals[t - 1, u - 1], totals[t - 1, u]), totals[t, u - 1])
        totals[t, u] = costs_TU[t - 1, u - 1] + least
    path, place = [], (num_t, num_u)
    while place != (0, 0):
        path.append((place[0] - 1, place[1] - 1))
        t, u = place
        place = min(((t - 1, u - 1), (t - 1, u), (t, u - 1)), key=lambda cell: float(totals[cell]))
    return path[::-1]


def mel_distortion(energies_TM: NDArray[np.floating], other_UM: NDArray[np.floating]) -> float:
    """The mean mel-cepstral distortion in decibels along the best alignment: 10 / ln 10 sqrt(2 sum of squared differences).

    Args:
        energies_TM: log-mel energies of one recording.
        other_UM: of the other, by the same front end.
    """
    cepstra_TC, others_UC = mel_cepstra(energies_TM), mel_cepstra(other_UM)
    squares_TU = (cepstra_TC**2).sum(1)[:, None] + (others_UC**2).sum(1) - 2.0 * cepstra_TC @ others_UC.T
    costs_TU = 10.0 / np.log(10.0) * np.sqrt(2.0 * np.maximum(squares_TU, 0.0))
    return float(np.mean([costs_TU[place] for place in warp(costs_TU)]))
