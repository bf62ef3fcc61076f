"""A file's text by way of the decoders: with the places where it stands."""
