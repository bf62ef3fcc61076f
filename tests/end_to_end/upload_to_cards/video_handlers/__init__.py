"""Job types of a team that adopts the project: a video in four steps. The files go into its `handlers/`."""
