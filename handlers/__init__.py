"""One file per job type: the part an adopting team edits."""
