"""Fields to tensors: one package per kind of stream."""
