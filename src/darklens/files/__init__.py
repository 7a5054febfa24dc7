"""Files and folders written whole: atomic writes, locks, checked places, YAML, tables.

Import from its files: the package itself loads nothing, so that every verb starts fast.
"""

__all__: list[str] = []
