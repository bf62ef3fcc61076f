"""The repository's own tools: never part of the wheel."""
