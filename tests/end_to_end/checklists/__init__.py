"""The guides that operators of five other systems worked by, walked through in their order: one story per guide."""
