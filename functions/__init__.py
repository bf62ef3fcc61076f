"""Everything that runs in Cloud Run or Cloud Functions: one tick, from claim to resolve."""
