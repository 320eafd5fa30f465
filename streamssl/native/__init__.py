"""Sequential loops, compiled: plain C++17 over NumPy's columns, with the bits of the NumPy code.

Where the library was not built or cannot be loaded, NumPy does the work. Importing builds nothing.
"""
