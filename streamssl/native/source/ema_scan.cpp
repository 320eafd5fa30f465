// Exponential moving averages over many keys; arithmetic/scan.py says what is reckoned, and is the
// reference: every bit is the same.
//
// K = keys, B = events, T = places of a block, D = averaged values.

#include "portable.h"

namespace {

// How the rows of a batch fall to keys, and where in their blocks these are.
struct Keys {
    int64_t num_keys, num_rows, num_places;
    const int64_t *start, *count, *phase;  // [K]
    const int64_t *order;                  // [B] rows, key by key
};

template <typename Sum>
struct Powers {
    const Sum *gain, *begin, *shrink;  // [T, D]: rate / shrink, 1 / shrink, (1 - rate)^(t + 1)
};

// One event of a key: `first` may be null.
template <typename Sum, typename Value>
INLINED void step(int64_t size, const Sum *__restrict gain, const Sum *__restrict begin,
                  const Sum *__restrict shrink, const Value *__restrict x,
                  const uint8_t *__restrict first, Sum *__restrict sum, Sum *__restrict average) {
    if (first == nullptr) {
        for (int64_t d = 0; d < size; ++d) {
            sum[d] += gain[d] * static_cast<Sum>(x[d]);
            average[d] = sum[d] * shrink[d];
        }
    } else {
        for (int64_t d = 0; d < size; ++d) {
            sum[d] += (first[d] ? begin[d] : gain[d]) * static_cast<Sum>(x[d]);
            average[d] = sum[d] * shrink[d];
        }
    }
}

// Returns 0, or 1 where a row or a phase lies outside.
template <typename Sum, typename Value>
INLINED int32_t scan(const Keys &keys, const Powers<Sum> &powers, int64_t size, const Value *x,
                     const uint8_t *first, Sum *sums, Sum *averages) {
    const Sum *base = powers.shrink + (keys.num_places - 1) * size;
    for (int64_t key = 0; key < keys.num_keys; ++key) {
        int64_t place = keys.phase[key], begin = keys.start[key], end = begin + keys.count[key];
        if (place < 0 || place >= keys.num_places || begin < 0 || end > keys.num_rows) return 1;
        Sum *sum = sums + key * size;
        for (int64_t i = begin; i < end; ++i) {
            int64_t row = keys.order[i], power = place * size;
            if (row < 0 || row >= keys.num_rows) return 1;
            step(size, powers.gain + power, powers.begin + power, powers.shrink + power,
                 x + row * size, first == nullptr ? nullptr : first + row * size, sum,
                 averages + row * size);
            if (++place == keys.num_places) {
                place = 0;
                for (int64_t d = 0; d < size; ++d) sum[d] *= base[d];
            }
        }
    }
    return 0;
}

}  // namespace

#define EMA_SCAN(NAME, SUM, VALUE)                                                                \
    EXPORTED FOR_SEVERAL_PROCESSORS int32_t NAME(                                                 \
        int64_t num_keys, int64_t num_rows, int64_t num_places, int64_t size,                     \
        const int64_t *start, const int64_t *count, const int64_t *phase, const int64_t *order,   \
        const SUM *gain, const SUM *begin, const SUM *shrink, const VALUE *x,                     \
        const uint8_t *first, SUM *sums, SUM *averages) {                                         \
        const Keys keys{num_keys, num_rows, num_places, start, count, phase, order};              \
        return scan(keys, Powers<SUM>{gain, begin, shrink}, size, x, first, sums, averages);      \
    }

EMA_SCAN(ema_scan_f64_f64, double, double)
EMA_SCAN(ema_scan_f64_f32, double, float)
EMA_SCAN(ema_scan_f32_f32, float, float)
