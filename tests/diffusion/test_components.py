"""Images as principal components: the transform, the components, the way back, mirrors."""

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from darklens.diffusion import ComponentSpace
from darklens.errors import BadConfig


def smooth_images(count: int, *, channels: int = 1, modes: int = 6) -> torch.Tensor:
    """Images of a few low frequencies, of falling strength, on a mean that is not zero."""
    generator = torch.Generator().manual_seed(3)
    strengths = torch.exp(-torch.arange(modes) / 2.0)
    amplitudes = torch.randn(count, channels, modes, modes, generator=generator)
    space = ComponentSpace((channels, 12, 14), grid=modes, components=1, whitening=0.0)
    weighted = amplitudes * strengths * strengths[:, None]
    return space.rows.T @ weighted @ space.columns + 2.0


def fitted(images: torch.Tensor, *, components: int, whitening: float) -> ComponentSpace:
    space = ComponentSpace(
        (images.shape[1], 12, 14), grid=8, components=components, whitening=whitening
    )
    space.fit(space.frequencies(images))
    return space


def test_the_frequencies_are_the_cosine_transform() -> None:
    images = smooth_images(3, channels=2)
    space = ComponentSpace((2, 12, 14), grid=5, components=1, whitening=0.0)
    expected = dctn(images.numpy(), axes=(2, 3), norm="ortho")[:, :, :5, :5]
    np.testing.assert_allclose(
        space.frequencies(images).numpy(), expected.reshape(3, -1), atol=1e-5
    )


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
def test_smooth_images_come_back(channels: int, whitening: float) -> None:
    images = smooth_images(200, channels=channels)
    space = fitted(images, components=36 * channels, whitening=whitening)
    again = space.decode(space.encode(space.frequencies(images)))
    torch.testing.assert_close(again, images, atol=1e-3, rtol=0)


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
def test_codes_have_the_declared_strengths(whitening: float) -> None:
    images = smooth_images(500)
    plain = fitted(images, components=20, whitening=0.0)
    space = fitted(images, components=20, whitening=whitening)
    frequencies = space.frequencies(images)
    strengths = (plain.encode(frequencies) * plain.scales).std(0, correction=0)
    codes = space.encode(frequencies)
    expected = (strengths / strengths[0]) ** (1 - whitening)
    torch.testing.assert_close(codes.std(0, correction=0), expected, atol=1e-3, rtol=1e-3)
    assert float(codes.square().mean().sqrt()) == pytest.approx(float(space.spread), rel=1e-3)


def test_the_components_are_those_of_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    images = smooth_images(300)
    space = fitted(images, components=5, whitening=0.0)
    reference = PCA(5, svd_solver="full").fit(space.frequencies(images).double().numpy())
    overlap = np.abs((space.basis.double().numpy() * reference.components_).sum(1))
    np.testing.assert_allclose(overlap, 1, atol=1e-4)


def test_mirrored_frequencies_are_those_of_mirrored_images() -> None:
    images = smooth_images(4, channels=2)
    space = ComponentSpace((2, 12, 14), grid=8, components=1, whitening=0.0)
    mirrored = (images.flip(2), images.flip(3), images.flip(2, 3))
    for found, image in zip(space.flipped(space.frequencies(images)), mirrored, strict=True):
        torch.testing.assert_close(found, space.frequencies(image), atol=1e-5, rtol=1e-5)


def test_too_few_or_equal_images_have_no_components() -> None:
    space = ComponentSpace((1, 12, 14), grid=8, components=10, whitening=0.5)
    with pytest.raises(BadConfig, match="need more than 10"):
        space.fit(space.frequencies(smooth_images(10)))
    with pytest.raises(BadConfig, match="fewer than 10 components"):
        space.fit(space.frequencies(smooth_images(1).repeat(40, 1, 1, 1)))
