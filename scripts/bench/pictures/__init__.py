"""What the benchmarks of pictures need: photos to decode, a project to decode them in, and what to compare with."""
