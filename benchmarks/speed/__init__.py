"""Bare clients and peers that the speed benchmark runs beside streamssl."""
