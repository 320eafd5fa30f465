// What the kernels need of a compiler: what they export, and code for several processors in one.
#pragma once

#include <stdint.h>

#define EXPORTED extern "C" __attribute__((visibility("default")))
#define INLINED static inline __attribute__((always_inline))

// Where the loader of glibc can choose, a function is compiled for AVX2 as well: the same operations
// in the same order, more of them at once. Contraction of a multiplication and an addition is off
// (build.py), so that no processor rounds otherwise than another.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_SEVERAL_PROCESSORS __attribute__((target_clones("avx2", "default")))
#else
#define FOR_SEVERAL_PROCESSORS
#endif
