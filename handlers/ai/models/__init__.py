"""AI providers: one request, the ladder of ways to get an answer, parts of long files, what it costs."""
