"""Decoders for untrusted bytes; they run in the sandboxed child only."""
