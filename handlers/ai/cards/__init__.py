"""Cards: what the rules and the models propose, and the gates that decide."""
