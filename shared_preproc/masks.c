/* A lead crop to its binary mask, the compiled part of masks.py: smoothing, Otsu's threshold, ink against paper.

   To the bit what OpenCV's GaussianBlur and threshold give for 8 bits, but where two thresholds separate the levels
   equally well. What OpenCV does to a page picture by picture is done here row by row, while a row is in the
   processor's nearest cache.

   Nothing is read or written outside of what it was given. */

#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { INK = 255, LEVELS = 256 };

/* Smooth a row sideways, in 1/256 of a gray level. `held` begins `reach` columns before the row: its first column,
   repeated; so does the last one after it. */
static inline void smooth_across(const uint8_t* restrict held, int32_t width, const uint16_t* restrict weights,
                                 int32_t reach, uint16_t* restrict smooth) {
    for (int32_t column = 0; column < width; column++) {
        const uint8_t* middle = held + column + reach;
        uint16_t sum = (uint16_t)(weights[0] * middle[0]);
        for (int32_t away = 1; away <= reach; away++)
            sum = (uint16_t)(sum + weights[away] * (uint16_t)(middle[-away] + middle[away]));
        smooth[column] = sum;
    }
}

/* Smooth 2 * `reach` + 1 rows into the middle one, and round. */
static inline void smooth_down(const uint16_t* const* rows, int32_t width, const uint16_t* restrict weights,
                               int32_t reach, uint8_t* restrict smooth) {
    for (int32_t column = 0; column < width; column++) {
        uint32_t sum = weights[0] * (uint32_t)rows[reach][column];
        for (int32_t away = 1; away <= reach; away++)
            sum += weights[away] * ((uint32_t)rows[reach - away][column] + rows[reach + away][column]);
        smooth[column] = (uint8_t)((sum + (UINT32_C(1) << 15)) >> 16);
    }
}

typedef uint32_t Histogram[LEVELS];

/* Count a row's levels, in turn in four histograms: neighbours are alike, and one would wait for the other. */
static void count_levels(const uint8_t* row, int32_t width, Histogram counts[4]) {
    int32_t column = 0;
    for (; column + 8 <= width; column += 8) {
        uint64_t levels;
        memcpy(&levels, row + column, sizeof levels);
        for (int byte = 0; byte < 8; byte++) counts[byte % 4][levels >> 8 * byte & 255]++;
    }
    for (; column < width; column++) counts[0][row[column]]++;
}

/* The level that leaves the largest variance between what is up to it and what is above (Otsu 1979). */
static int32_t otsu(const Histogram counts, int32_t pixels) {
    double share = 1.0 / pixels, mean = 0, mean_below = 0, below = 0, largest = 0;
    int32_t threshold = 0;
    for (int32_t level = 0; level < LEVELS; level++) mean += level * (double)counts[level];
    mean *= share;
    for (int32_t level = 0; level < LEVELS; level++) {
        double here = counts[level] * share;
        mean_below *= below;
        below += here;
        double above = 1 - below;
        if (below < FLT_EPSILON || above < FLT_EPSILON || below > 1 - FLT_EPSILON || above > 1 - FLT_EPSILON) continue;
        mean_below = (mean_below + level * here) / below;
        double apart = mean_below - (mean - below * mean_below) / above;
        double variance = below * above * apart * apart;
        if (variance > largest) largest = variance, threshold = level;
    }
    return threshold;
}

/* Smooth a crop, whose rows are `stride` bytes apart, and count its levels. In `room` are the row that is looked at,
   held at both ends, and as many rows smoothed sideways as go into one. */
static inline __attribute__((always_inline)) void smooth(const uint8_t* crop, ptrdiff_t stride, int32_t width,
                                                         int32_t height, const uint16_t* weights, int32_t reach,
                                                         uint16_t* room, uint8_t* smoothed, Histogram counts[4]) {
    int32_t around = 2 * reach + 1;
    uint8_t* held = (uint8_t*)(room + (ptrdiff_t)around * width);
    const uint16_t* rows[LEVELS];
    for (int32_t row = 0, next = 0; row < height; row++) {
        for (; next < height && next <= row + reach; next++) {
            const uint8_t* pixels = crop + next * stride;
            memset(held, pixels[0], (size_t)reach);
            memcpy(held + reach, pixels, (size_t)width);
            memset(held + reach + width, pixels[width - 1], (size_t)reach);
            smooth_across(held, width, weights, reach, room + (ptrdiff_t)(next % around) * width);
        }
        for (int32_t number = 0; number < around; number++) { /* beyond the crop, its first and last row are repeated */
            int32_t near = row + number - reach;
            near = near < 0 ? 0 : near >= height ? height - 1 : near;
            rows[number] = room + (ptrdiff_t)(near % around) * width;
        }
        smooth_down(rows, width, weights, reach, smoothed + (ptrdiff_t)row * width);
        count_levels(smoothed + (ptrdiff_t)row * width, width, counts);
    }
}

/* Mark in `mask`, without gaps between its rows, what is darker than the crop's own threshold once it is smoothed.
   `weights` are those of the middle and of what is 1 to `reach` pixels away on either side, in 1/256; together with
   both sides they are 256, and `reach` is less than 128. Returns 0, or -1 where there is not memory enough. */
int32_t binarize(const uint8_t* crop, ptrdiff_t stride, int32_t width, int32_t height, const uint16_t* weights,
                 int32_t reach, uint8_t* mask) {
    size_t held = (size_t)(width + 2 * reach), rows = (size_t)(2 * reach + 1) * (size_t)width;
    uint16_t* room = malloc(rows * sizeof *room + held);
    if (room == NULL) return -1;
    Histogram counts[4] = {{0}};
    if (reach == 3) /* of a sigma of 1, which all models have: twice as fast where the compiler knows it */
        smooth(crop, stride, width, height, weights, 3, room, mask, counts);
    else
        smooth(crop, stride, width, height, weights, reach, room, mask, counts);
    free(room);
    for (int32_t level = 0; level < LEVELS; level++)
        counts[0][level] += counts[1][level] + counts[2][level] + counts[3][level];
    int32_t pixels = width * height, threshold = otsu(counts[0], pixels);
    if (counts[0][0] == (uint32_t)pixels) threshold = -1; /* all black: nothing is darker than the rest */
    for (int32_t pixel = 0; pixel < pixels; pixel++) mask[pixel] = mask[pixel] <= threshold ? INK : 0;
    return 0;
}
