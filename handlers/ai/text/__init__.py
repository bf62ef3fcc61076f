"""Text as the rules see it: clean, in blocks and sentences, in a language."""
