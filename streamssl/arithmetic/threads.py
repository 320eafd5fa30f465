"""The environment's variables that say how many threads BLAS and OpenMP use."""

# The libraries read them when they are loaded, which importing NumPy or torch does.
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
