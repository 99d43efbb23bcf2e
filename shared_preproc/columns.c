/* What ink there is in each column of a mask, the compiled part of columns.py.

   Nothing is read or written outside of what it was given. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK = 512 };

/* Count in each column of a mask the rows with ink, and those above the uppermost that has any: 0 where none has.
   A block of columns at a time, so that what is counted stays in the nearest cache, in 8 bits as long as they last. */
void ink_columns(const uint8_t* mask, int32_t height, int32_t width, int32_t* ink_px, int32_t* upper_px) {
    memset(ink_px, 0, (size_t)width * sizeof *ink_px);
    memset(upper_px, 0, (size_t)width * sizeof *upper_px);
    for (int32_t left = 0; left < width; left += BLOCK) {
        int32_t columns = width - left < BLOCK ? width - left : BLOCK;
        uint8_t seen[BLOCK] = {0};
        for (int32_t top = 0, end; top < height; top = end) {
            uint8_t ink[BLOCK] = {0}, above[BLOCK] = {0};
            end = height - top < UINT8_MAX ? height : top + UINT8_MAX;
            for (int32_t row = top; row < end; row++) {
                const uint8_t* pixels = mask + (ptrdiff_t)row * width + left;
                for (int32_t column = 0; column < columns; column++) {
                    uint8_t drawn = pixels[column] != 0;
                    ink[column] = (uint8_t)(ink[column] + drawn);
                    seen[column] |= drawn;
                    above[column] = (uint8_t)(above[column] + (seen[column] ^ 1));
                }
            }
            for (int32_t column = 0; column < columns; column++) {
                ink_px[left + column] += ink[column];
                upper_px[left + column] += above[column];
            }
        }
        for (int32_t column = 0; column < columns; column++)
            if (!seen[column]) upper_px[left + column] = 0;
    }
}

/* How little a stretch of columns, `stretch` from `start` on, differs from another that begins `apart` columns before
   or after it, or farther away: the squares of the differences in both counts, added up. -1 where there is no other. */
int64_t nearest_stretch(const int32_t* ink_px, const int32_t* upper_px, int32_t width, int32_t start, int32_t stretch,
                        int32_t apart) {
    int64_t least = INT64_MAX;
    for (int32_t place = 0; place <= width - stretch; place++) {
        if (start - apart < place && place < start + apart) continue;
        int64_t sum = 0;
        for (int32_t column = 0; column < stretch && sum < least; column++) { /* mostly it is soon too much */
            int64_t ink = (int64_t)ink_px[place + column] - ink_px[start + column];
            int64_t upper = (int64_t)upper_px[place + column] - upper_px[start + column];
            sum += ink * ink + upper * upper;
        }
        if (sum < least) least = sum;
    }
    return least == INT64_MAX ? -1 : least;
}
