"""Files and folders written whole: atomic writes, locks, checked places, YAML, tables.

Import from its modules: the package itself imports nothing, so that every verb starts quickly.
"""

__all__: list[str] = []
