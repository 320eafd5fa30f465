"""The peers that the quality benchmark runs beside streamssl."""
