"""Observed lenses: found in files, read with noise, mask and PSF, and prepared for a fit."""

from darklens.observations.known_lenses import KnownLens, known_lens
from darklens.observations.observation import Observation, Sky, observation_of, psf_in_words
from darklens.observations.options import ImageOptions
from darklens.observations.preparation import prepare_observation
from darklens.observations.reading import read_observation, read_psf
from darklens.observations.targets import Target, find_targets

__all__ = [
    "ImageOptions",
    "KnownLens",
    "Observation",
    "Sky",
    "Target",
    "find_targets",
    "known_lens",
    "observation_of",
    "prepare_observation",
    "psf_in_words",
    "read_observation",
    "read_psf",
]
