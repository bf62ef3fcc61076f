"""AI providers: what turns extracted text into an analysis and cards."""
