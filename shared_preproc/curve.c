/* The most likely way of one pen's curve through the ink of a flat page, the compiled part of digitize/curves.py.

   A column's ink is a few vertical runs. The way goes from run to run, from left to right, at the least cost (Viterbi):
   the height that lies between two runs, plus what a column without ink costs. Knows no Python. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 16, STATES = 32 };

/* curves.py's, field by field. */
typedef struct {
    int32_t level;      /* row near which the curve is looked for */
    int32_t threshold;  /* ink from here on is the pen's */
    int32_t carry_most; /* columns that may be without ink */
    float carry;        /* cost of such a column */
    float height;       /* cost of a row between two runs, */
    float height_most;  /* at most */
    float away;         /* cost of a row of distance from the level */
    float thick;        /* cost of a row of a run that neither neighbour has */
} Pen;

typedef struct {
    float cost;
    int32_t top, bottom; /* rows, both inclusive */
    int32_t before;      /* state of the column before, or -1 */
    int32_t carried;     /* columns since the run was met */
} State;

static float gap(const State* state, int32_t top, int32_t bottom) {
    if (top > state->bottom) return (float)(top - state->bottom);
    if (bottom < state->top) return (float)(state->top - bottom);
    return 0.0f;
}

static float distance(int32_t top, int32_t bottom, int32_t level) {
    if (level < top) return (float)(top - level);
    if (level > bottom) return (float)(level - bottom);
    return 0.0f;
}

static int32_t find_runs(const uint8_t* ink, int32_t height, ptrdiff_t stride, int32_t threshold, int32_t* tops,
                         int32_t* bottoms) {
    int32_t count = 0, open = 0;
    for (int32_t row = 0; row < height; row++) {
        int32_t pen = ink[row * stride] >= threshold;
        if (pen && !open) {
            if (count == RUNS) return count;
            tops[count] = row;
        }
        if (pen) bottoms[count] = row;
        if (!pen && open) count++;
        open = pen;
    }
    return count + (open ? 1 : 0);
}

/* Take in a state where there is room, or in the place of the dearest. */
static void take(State* states, int32_t* count, const State* state) {
    if (*count < STATES) {
        states[(*count)++] = *state;
        return;
    }
    int32_t dearest = 0;
    for (int32_t index = 1; index < STATES; index++)
        if (states[index].cost > states[dearest].cost) dearest = index;
    if (state->cost < states[dearest].cost) states[dearest] = *state;
}

/* Follow one curve. Writes the first and last row of its run in each column, -1 where it has none. 1: no memory. */
int32_t follow_curve(const uint8_t* ink, int32_t height, int32_t width, ptrdiff_t stride, const Pen* pen, int32_t* top,
                     int32_t* bottom) {
    State* all = malloc((size_t)width * STATES * sizeof *all);
    int32_t* counts = malloc((size_t)width * sizeof *counts);
    if (!all || !counts) {
        free(all);
        free(counts);
        return 1;
    }
    int32_t tops[RUNS], bottoms[RUNS];
    for (int32_t column = 0; column < width; column++) {
        State *states = all + (ptrdiff_t)column * STATES, *before = states - STATES;
        int32_t runs = find_runs(ink + column, height, stride, pen->threshold, tops, bottoms);
        int32_t previous = column ? counts[column - 1] : 0;
        counts[column] = 0;
        for (int32_t run = 0; run < runs; run++) {
            float own = pen->away * distance(tops[run], bottoms[run], pen->level);
            /* A curve may begin at any run, at the price of the columns that it then lacks. */
            State best = {
                .cost = own + pen->carry * (float)column, .top = tops[run], .bottom = bottoms[run], .before = -1};
            for (int32_t index = 0; index < previous; index++) {
                const State* from = &before[index];
                float step = pen->height * gap(from, tops[run], bottoms[run]);
                int32_t longer = (bottoms[run] - tops[run]) - (from->bottom - from->top);
                if (longer > 0) step += pen->thick * (float)longer;
                if (step > pen->height_most) step = pen->height_most;
                if (from->cost + own + step < best.cost) best.cost = from->cost + own + step, best.before = index;
            }
            take(states, &counts[column], &best);
        }
        for (int32_t index = 0; index < previous; index++) {
            if (before[index].carried >= pen->carry_most) continue;
            State held = before[index];
            held.cost += pen->carry;
            held.before = index;
            held.carried++;
            take(states, &counts[column], &held);
        }
    }
    for (int32_t column = 0; column < width; column++) top[column] = bottom[column] = -1;
    /* The end may lack columns, too. */
    int32_t last = -1, at = -1;
    float least = 0.0f;
    for (int32_t column = 0; column < width; column++)
        for (int32_t index = 0; index < counts[column]; index++) {
            const State* state = &all[(ptrdiff_t)column * STATES + index];
            float cost = state->cost + pen->carry * (float)(width - 1 - column);
            if (!state->carried && (last < 0 || cost < least)) least = cost, last = column, at = index;
        }
    for (int32_t column = last; column >= 0 && at >= 0; column--) {
        const State* state = &all[(ptrdiff_t)column * STATES + at];
        if (!state->carried) top[column] = state->top, bottom[column] = state->bottom;
        at = state->before;
    }
    free(all);
    free(counts);
    return 0;
}
