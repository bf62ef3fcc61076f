"""What a decoder raises for a file that it will not or cannot read; the job then fails at once."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - a verdict on the file, not an error in the decoder
    """The file is damaged, disguised, too large or of a kind that is not read here.

    The sentence travels through the sandbox to the file's owner: it names what is wrong with the file
    and nothing of our own (no path, no library, no traceback). Any other exception counts as a bug or
    a passing trouble, and the job is tried again.
    """
