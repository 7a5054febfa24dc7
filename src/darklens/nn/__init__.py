"""Network parts that the classifier and the generator share."""

from darklens.nn.attention import AttentionBlock
from darklens.nn.symmetry import d4_average, d4_transform

__all__ = ["AttentionBlock", "d4_average", "d4_transform"]
