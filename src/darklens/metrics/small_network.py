"""A small neural network as the classifier of a two-sample test.

Unlike a logistic regression it is sensitive to combinations of features. Its hyperparameters
(width, weight decay, dropout, number of epochs) are fixed and never tuned to the data.
"""

import numpy as np
from jaxtyping import Float, Int, Real

__all__ = ["network_scores"]

_BATCH = 64
_LEARNING_RATE = 1e-3
_WEIGHT_DECAY = 0.1
_DROPOUT = 0.5


def network_scores(
    train: Real[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    test: Real[np.ndarray, "m d"],
    *,
    width: int = 64,
    epochs: int = 20,
    seed: int = 0,
) -> Float[np.ndarray, " m"]:
    """Scores of a network with one hidden layer, on standardised features.

    Args:
        train: Training features.
        labels: The set of each training row, 0 or 1.
        test: Features to score.
        width: Units of the hidden layer.
        epochs: Passes over the training rows.
        seed: Seed of the initial weights and of the order of the batches.
    """
    import torch  # slow to import, and no other metric needs it
    from torch import nn

    mean, deviation = train.mean(axis=0), train.std(axis=0)
    scale = np.where(deviation > 1e-12 * np.abs(mean), deviation, 1.0)  # constant features
    x, y, z = (
        torch.from_numpy(np.asarray(values, dtype=np.float32))
        for values in ((train - mean) / scale, labels, (test - mean) / scale)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Linear(x.shape[1], width), nn.ReLU(), nn.Dropout(_DROPOUT), nn.Linear(width, 1)
        )
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY
        )
        loss = nn.BCEWithLogitsLoss()
        for _ in range(epochs):
            for rows in torch.split(torch.randperm(len(x)), _BATCH):
                optimiser.zero_grad()
                loss(network(x[rows])[:, 0], y[rows]).backward()
                optimiser.step()
    with torch.inference_mode():
        scores: np.ndarray = network.eval()(z)[:, 0].double().numpy()
    return scores
