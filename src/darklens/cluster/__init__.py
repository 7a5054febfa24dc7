"""Calls on a Dask cluster in place of worker processes: on this machine, or in a batch queue."""

from darklens.cluster.opening import open_workers

__all__ = ["open_workers"]
