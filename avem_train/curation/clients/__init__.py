"""Who is asked: servers, Gemini, and the adapters of this package."""
