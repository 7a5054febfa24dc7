"""Dark-matter substructure in strong gravitational lenses: simulate, classify, explain.

Importing this package loads nothing heavy; the work is in the subpackages.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
