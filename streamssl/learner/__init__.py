"""Student, teacher, projector, predictors: embed and learn."""
