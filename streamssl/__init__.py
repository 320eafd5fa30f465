"""Online, continual, self-supervised learning on streams.

Importing this package pins the number of BLAS and OpenMP threads (unless the environment
already does), because results are bit-equal only for one thread count.
"""

import os as _os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    _os.environ.setdefault(_name, "1")

__version__ = "0.1.0"
