"""A second modality, small and whole: two numbers, a category and a second entity an event.

It stays: it keeps the seam honest while everybody works on sensors. It is added from outside, as
a package of anybody's would be, by two entry points (`installed`).
"""
