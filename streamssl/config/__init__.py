"""The configuration: one YAML file, one pydantic model per section."""
