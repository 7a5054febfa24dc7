"""The command line: `main` finds the verb, and each verb is a typed function in its own file."""

__all__: list[str] = []
