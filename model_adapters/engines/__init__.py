"""Models behind an engine of their own or on a server: vLLM in this process, OpenAI's chat API, Gemini."""
