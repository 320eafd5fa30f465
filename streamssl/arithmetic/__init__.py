"""Arithmetic on columns that knows no stream: scans, histograms, tiled products, projections."""
