/* Masks to drawn curves, the compiled part of traces.py: what is done, and why, is in docs/decisions/0004-traces.md.

   A pen's stroke is one run of ink in nearly every column, so a curve is about as many runs as its box has columns.
   Each lead is looked at for itself, in its window: the rows around its zero line, as far as there is ink. Columns
   count from the box's left edge, rows from the window's first, and those of a Lead from the page's.

   Whatever the masks hold, nothing is read or written outside of what it was given. */

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "columns are taken from words, the first from the lowest byte");

/* Lead and Pen are traces.py's, field by field. */
typedef struct {
    int32_t top, bottom, left, right; /* its box on the page, half open, as are all rows and columns here */
    int32_t first, end;               /* rows that its window may take: no row of its box is outside of them */
    int32_t name_top, name_bottom;    /* rows between which its name is printed */
    int32_t name_width_px;            /* columns from the box's left edge that the name may take */
    int32_t another_above;            /* whether another lead's ink may reach the window from there */
    int32_t another_below;
    int32_t samples;
    double zero_px;  /* row of its zero line */
    double first_px; /* column of its first sample */
} Lead;

typedef struct {
    int32_t stroke_px; /* width of its stroke */
    int32_t flank_px;  /* how far to both sides of a peak or trough its flanks are looked at */
    int32_t around_px; /* how far to both sides of a sample the band's edges are looked at */
    double step_px;    /* from one sample to the next */
    double px_per_mv;  /* a millivolt's height */
} Pen;

/* Ink without a break in one column, down to the row `last`. */
typedef struct {
    int32_t column, first, last;
} Run;

/* What hangs together, diagonally too: its outermost columns and rows. */
typedef struct {
    int32_t number, left, right, top, bottom;
} Piece;

/* The curve's stroke in one column: its outermost rows, and whether each is the curve's own. */
typedef struct {
    int32_t column, top, bottom;
    bool top_is_own, bottom_is_own;
} Stroke;

typedef struct {
    const uint8_t** rows; /* 0 is paper */
    int32_t height, width;
    int32_t name_top, name_bottom, name_width_px;
    double zero_px;
    bool open_above, open_below; /* whether ink in the first row, or the last, goes on to another lead's */
} Window;

/* A curve and the edges of the band it was drawn in. */
enum { CURVE, UPPER, LOWER, EDGES };

/* Room for what is found in one lead, made once for the largest. */
typedef struct {
    const uint8_t** rows; /* of the window */
    uint8_t* paper;       /* a row without ink */
    int32_t* starts;      /* of each column, and the end: where its runs begin in `runs` */
    int32_t* places;      /* of each column: see where it is used */
    Run* found;           /* row by row; later the curve's own, as `runs` */
    Run* runs;            /* by columns, in a column from the top */
    int32_t* piece;       /* of each run: an earlier one that it hangs on to; later the number of its piece */
    Piece* pieces;
    bool* in_curve;       /* of each piece */
    bool* covered;        /* of each column */
    bool* name_touches;   /* of each column */
    Stroke* stroke;       /* from left to right: columns that have one */
    double* middle;       /* of the stroke */
    double* edges[EDGES]; /* of the stroke: rows */
    float* mv[EDGES];     /* of each column: heights over the zero line */
} Room;

static int32_t clamped(int32_t value, int32_t least, int32_t most) {
    return value < least ? least : value > most ? most : value;
}

static bool within(int32_t value, int32_t first, int32_t end) { return first <= value && value < end; }

static int32_t ink_px(const uint8_t* row, int32_t width) {
    int32_t ink = 0;
    for (int32_t start = 0, end; start < width; start = end) {
        uint8_t part = 0; /* 8 bits are counted sixteen at a time */
        end = start + UINT8_MAX < width ? start + UINT8_MAX : width;
        for (int32_t column = start; column < end; column++) part = (uint8_t)(part + (row[column] != 0));
        ink += part;
    }
    return ink;
}

/* The rows of the page that `lead` may take, from all boxes that they cross: a tall beat does not stay in its own. */
static void gather_rows(const Lead* leads, const uint8_t* const* masks, int32_t count, const Lead* lead, Room* room) {
    for (int32_t row = lead->first; row < lead->end; row++) room->rows[row - lead->first] = room->paper;
    for (int32_t number = 0; number < count; number++) {
        const Lead* other = &leads[number];
        if (other->left != lead->left || other->right != lead->right) continue;
        for (int32_t row = other->top; row < other->bottom; row++)
            if (within(row, lead->first, lead->end))
                room->rows[row - lead->first] =
                    masks[number] + (ptrdiff_t)(row - other->top) * (lead->right - lead->left);
    }
}

/* The rows with ink without a break around the box's fullest. */
static Window find_window(const Lead* lead, const Room* room) {
    int32_t width = lead->right - lead->left, height = lead->end - lead->first;
    int32_t level = lead->top - lead->first, most_px = -1;
    for (int32_t row = level; row < lead->bottom - lead->first; row++) {
        int32_t px = ink_px(room->rows[row], width);
        if (px > most_px) most_px = px, level = row;
    }
    int32_t start = level > 0 ? level - 1 : 0, stop = level + 1;
    while (start > 0 && ink_px(room->rows[start], width) > 0) start--;
    while (stop < height && ink_px(room->rows[stop], width) > 0) stop++;
    return (Window){
        .rows = room->rows + start,
        .height = stop - start,
        .width = width,
        .name_top = lead->name_top - lead->first - start,
        .name_bottom = lead->name_bottom - lead->first - start,
        .name_width_px = lead->name_width_px,
        .zero_px = lead->zero_px - lead->first - start,
        .open_above = lead->another_above && start == 0,
        .open_below = lead->another_below && stop == height,
    };
}

/* Eight columns of a row, or those that are left; most do not change from row to row. */
static uint64_t eight(const uint8_t* row, int32_t columns) {
    uint64_t ink = 0;
    if (columns >= 8)
        memcpy(&ink, row, 8);
    else
        memcpy(&ink, row, (size_t)columns);
    return ink;
}

static int32_t first_byte(uint64_t changed) { return __builtin_ctzll(changed) & ~7; }

/* How many runs of `least_px` rows a column of so many may have: see find_runs. */
static int32_t most_runs(int32_t height, int32_t least_px) {
    return (height + 1 + 2 * (least_px / 2)) / (least_px + 1);
}

/* Every run of at least `least_px` rows, and how many. One in the window's first or last row counts for half of that
   more, as it may go on beyond it. */
static int32_t find_runs(const Window* window, int32_t least_px, Room* room) {
    int32_t count = 0, width = window->width;
    int32_t* firsts = room->places; /* of the run that each column is in */
    memset(room->starts, 0, (size_t)(width + 1) * sizeof *room->starts);
    const uint8_t* above = room->paper;
    for (int32_t row = 0; row <= window->height; row++) {
        const uint8_t* here = row < window->height ? window->rows[row] : room->paper;
        for (int32_t start = 0; start < width; start += 8) {
            uint64_t changed = eight(here + start, width - start) ^ eight(above + start, width - start);
            for (; changed != 0; changed &= ~(UINT64_C(255) << first_byte(changed))) {
                int32_t column = start + first_byte(changed) / 8;
                if (here[column]) {
                    firsts[column] = row;
                    continue;
                }
                int32_t first = firsts[column];
                int32_t beyond_px = least_px / 2 * ((first == 0) + (row == window->height));
                if (row - first + beyond_px < least_px) continue;
                room->found[count++] = (Run){column, first, row - 1};
                room->starts[column + 1]++;
            }
        }
        above = here;
    }
    for (int32_t column = 0; column < width; column++) room->starts[column + 1] += room->starts[column];
    int32_t* next = room->places; /* where the next run of each column belongs */
    memcpy(next, room->starts, (size_t)width * sizeof *next);
    for (int32_t number = 0; number < count; number++)
        room->runs[next[room->found[number].column]++] = room->found[number];
    return count;
}

static int32_t earliest(int32_t* piece, int32_t run) {
    while (piece[run] != run) run = piece[run] = piece[piece[run]];
    return run;
}

/* Put together the runs that touch, and number the pieces by their first runs; how many there are. */
static int32_t find_pieces(int32_t runs_count, int32_t width, Room* room) {
    const Run* runs = room->runs;
    int32_t *piece = room->piece, count = 0;
    for (int32_t number = 0; number < runs_count; number++) piece[number] = number;
    for (int32_t column = 0; column + 1 < width; column++) {
        int32_t one = room->starts[column], other = room->starts[column + 1];
        while (one < room->starts[column + 1] && other < room->starts[column + 2]) {
            if (runs[one].first <= runs[other].last + 1 && runs[other].first <= runs[one].last + 1) {
                int32_t ones = earliest(piece, one), others = earliest(piece, other);
                if (ones < others)
                    piece[others] = ones;
                else
                    piece[ones] = others;
            }
            if (runs[one].last < runs[other].last)
                one++;
            else
                other++;
        }
    }
    for (int32_t number = 0; number < runs_count; number++) {
        Run run = runs[number];
        if (piece[number] == number) {
            room->pieces[count] = (Piece){count, run.column, run.column, run.first, run.last};
            piece[number] = count++;
            continue;
        }
        piece[number] = piece[piece[number]]; /* an earlier run has its number already */
        Piece* its = &room->pieces[piece[number]];
        its->right = run.column;
        if (run.first < its->top) its->top = run.first;
        if (run.last > its->bottom) its->bottom = run.last;
    }
    return count;
}

static int widest_first(const void* one, const void* other) {
    const Piece *a = one, *b = other;
    int32_t wider_px = (b->right - b->left) - (a->right - a->left);
    return wider_px != 0 ? wider_px : a->number - b->number;
}

/* Choose the pieces that make up the curve: widest first, each where no wider one already is. And say in which columns
   the lead's name may hang on to it: none of its letters stands apart there. */
static void choose_curve(const Window* window, int32_t least_px, int32_t count, Room* room) {
    for (int32_t column = 0; column < window->width; column++) {
        room->covered[column] = false;
        room->name_touches[column] = column < window->name_width_px;
    }
    memset(room->in_curve, false, (size_t)count * sizeof *room->in_curve);
    qsort(room->pieces, (size_t)count, sizeof *room->pieces, widest_first);
    for (int32_t number = 0; number < count; number++) {
        Piece piece = room->pieces[number];
        int32_t width_px = piece.right - piece.left + 1, covered_px = 0;
        if (width_px < least_px) break;
        if (piece.top >= window->name_top && piece.bottom < window->name_bottom &&
            piece.right < window->name_width_px) {
            memset(room->name_touches + piece.left, false, (size_t)width_px * sizeof(bool));
            continue;
        }
        for (int32_t column = piece.left; column <= piece.right; column++) covered_px += room->covered[column];
        if (2 * covered_px > width_px) continue;
        memset(room->covered + piece.left, true, (size_t)width_px * sizeof(bool));
        room->in_curve[piece.number] = true;
    }
}

/* The run that continues the stroke `after` it; of several, that nearest to the zero line: other leads come from far.
 */
static Run continuing(const Run* runs, int32_t count, Stroke after, double zero_px) {
    Run nearest = runs[0];
    double least_px = INFINITY, least_off_px = INFINITY;
    for (int32_t number = 0; number < count; number++) {
        Run run = runs[number];
        double away_px = fmax(0, fmax(run.first - after.bottom - 1, after.top - run.last - 1));
        double off_px = fmax(0, fmax(run.first - zero_px, zero_px - run.last));
        if (away_px > least_px || (away_px == least_px && off_px >= least_off_px)) continue;
        nearest = run, least_px = away_px, least_off_px = off_px;
    }
    return nearest;
}

/* The stroke among runs of a name or another lead, too, by the stroke `after` it, to the right. Ink of a name lies
   between its rows, so an edge outside of them is the curve's; other leads' ink reaches the window's open side. */
static Stroke stroke_among(Run* runs, int32_t count, const Window* window, bool name_touches, Stroke after,
                           int32_t stroke_px) {
    if (name_touches) {
        int32_t outside = 0;
        for (int32_t number = 0; number < count; number++)
            if (runs[number].first < window->name_top || runs[number].last >= window->name_bottom)
                runs[outside++] = runs[number];
        if (outside > 0) count = outside;
    }
    Run run = continuing(runs, count, after, window->zero_px);
    bool hung_on = name_touches && run.last - run.first >= stroke_px + 2;
    bool top_in_doubt =
        (hung_on && within(run.first, window->name_top, window->name_bottom)) || (window->open_above && run.first == 0);
    bool bottom_in_doubt = (hung_on && within(run.last, window->name_top, window->name_bottom)) ||
                           (window->open_below && run.last == window->height - 1);
    if (top_in_doubt && bottom_in_doubt) {
        top_in_doubt = abs(run.first - after.top) >= abs(run.last - after.bottom);
        bottom_in_doubt = !top_in_doubt;
    }
    return (Stroke){run.column, run.first, run.last, !top_in_doubt, !bottom_in_doubt};
}

/* The stroke of the curve's runs, which go to `found`, and whether ink of another lead's reaches the window's open
   side. In `places` is where the runs of each of its columns begin. */
static int32_t find_outermost(const Window* window, Room* room, bool* others_touch) {
    int32_t count = 0, runs_count = 0, *starts = room->places;
    *others_touch = false;
    for (int32_t column = 0; column < window->width; column++) {
        int32_t start = runs_count;
        for (int32_t number = room->starts[column]; number < room->starts[column + 1]; number++)
            if (room->in_curve[room->piece[number]]) room->found[runs_count++] = room->runs[number];
        if (start == runs_count) continue;
        int32_t top = room->found[start].first, bottom = room->found[runs_count - 1].last;
        *others_touch |= (window->open_above && top == 0) || (window->open_below && bottom == window->height - 1);
        room->stroke[count] = (Stroke){column, top, bottom, true, true};
        starts[count++] = start;
    }
    starts[count] = runs_count;
    return count;
}

/* The stroke of the lead's own curve; in how many columns there is one. */
static int32_t find_stroke(const Window* window, int32_t stroke_px, Room* room) {
    int32_t runs_count = find_runs(window, stroke_px, room);
    choose_curve(window, stroke_px, find_pieces(runs_count, window->width, room), room);
    bool others_touch;
    int32_t count = find_outermost(window, room, &others_touch), alone_px = stroke_px - 1;
    Stroke after = count > 0 ? room->stroke[count - 1] : (Stroke){0};
    for (int32_t place = count - 1; place >= 0; place--) { /* towards the name */
        Stroke *stroke = &room->stroke[place], alone = *stroke;
        bool name_touches = room->name_touches[stroke->column];
        if (stroke->bottom - stroke->top + 1 > stroke_px + 2 && (name_touches || others_touch)) {
            int32_t start = room->places[place], runs = room->places[place + 1] - start;
            *stroke = stroke_among(room->found + start, runs, window, name_touches, after, stroke_px);
            alone.top = stroke->top_is_own ? stroke->top : stroke->bottom - alone_px;
            alone.bottom = stroke->bottom_is_own ? stroke->bottom : stroke->top + alone_px;
        }
        after = alone;
    }
    return count;
}

/* The curve, and the upper and the lower edge of the band it was drawn in, by the stroke's neighbouring columns. */
static void undo_pen(const Pen* pen, int32_t count, Room* room) {
    const Stroke* stroke = room->stroke;
    double *curve = room->edges[CURVE], *upper = room->edges[UPPER], *lower = room->edges[LOWER];
    int32_t half_px = (pen->stroke_px - 1) / 2;
    for (int32_t place = 0; place < count; place++) {
        int32_t high = stroke[place].top, low = stroke[place].bottom;
        for (int32_t offset = -half_px; offset <= half_px; offset++) {
            Stroke beside = stroke[clamped(place + offset, 0, count - 1)];
            if (beside.top > high) high = beside.top;
            if (beside.bottom < low) low = beside.bottom;
        }
        high += half_px, low -= half_px;
        upper[place] = stroke[place].top_is_own ? high : low;
        lower[place] = stroke[place].bottom_is_own ? low : high;
        room->middle[place] = (upper[place] + lower[place]) / 2;
    }
    for (int32_t place = 0; place < count; place++) {
        double before = room->middle[clamped(place - pen->flank_px, 0, count - 1)];
        double after = room->middle[clamped(place + pen->flank_px, 0, count - 1)];
        double high = upper[place], low = lower[place], middle = room->middle[place];
        /* Where the curve rises or falls, it is the middle; a sharper peak is at `high`, a sharper trough at `low`. */
        bool peak = high < low && middle < before && middle < after;
        bool trough = high < low && middle > before && middle > after;
        curve[place] = peak ? high : trough ? low : middle;
        upper[place] = fmin(high, curve[place]);
        lower[place] = fmax(low, curve[place]);
    }
}

/* Rows of an edge to heights over the zero line in every column, in millivolt: gaps are bridged, the ends held. */
static void rise(const Window* window, double px_per_mv, const Stroke* stroke, int32_t count, const double* rows,
                 float* mv) {
    for (int32_t column = 0, place = 0; column < window->width; column++) {
        while (place + 1 < count && stroke[place + 1].column <= column) place++;
        double row = rows[place];
        if (place + 1 < count && stroke[place].column < column) {
            double slope = (rows[place + 1] - row) / (stroke[place + 1].column - stroke[place].column);
            row = slope * (column - stroke[place].column) + row;
        }
        mv[column] = (float)((window->zero_px - row) / px_per_mv);
    }
}

static float between(float before, float after, double share) {
    return (float)(((double)after - before) * share + before);
}

/* The curve, and its band's edges at their outermost around the instant, at the columns of the lead's samples. */
static void sample(const Lead* lead, const Pen* pen, float* const mv[EDGES], float* const samples_mv[EDGES]) {
    int32_t last = lead->right - lead->left - 1;
    for (int32_t number = 0; number < lead->samples; number++) {
        double at_px = fmin(fmax(lead->first_px + number * pen->step_px, 0), last);
        int32_t column = (int32_t)at_px;
        float highest[2], lowest[2]; /* around the column before the instant, and around the one after it */
        for (int32_t side = 0; side < 2; side++) {
            highest[side] = -INFINITY, lowest[side] = INFINITY;
            for (int32_t offset = -pen->around_px; offset <= pen->around_px; offset++) {
                int32_t near = clamped(column + side + offset, 0, last);
                if (mv[UPPER][near] > highest[side]) highest[side] = mv[UPPER][near];
                if (mv[LOWER][near] < lowest[side]) lowest[side] = mv[LOWER][near];
            }
        }
        double beyond = at_px - column;
        samples_mv[CURVE][number] = between(mv[CURVE][column], mv[CURVE][clamped(column + 1, 0, last)], beyond);
        samples_mv[UPPER][number] = between(highest[0], highest[1], beyond);
        samples_mv[LOWER][number] = between(lowest[0], lowest[1], beyond);
    }
}

static void trace_lead(const Lead* lead, const Pen* pen, Room* room, float* const samples_mv[EDGES], float* columns_mv,
                       int32_t* inked_px) {
    Window window = find_window(lead, room);
    *inked_px = find_stroke(&window, pen->stroke_px, room);
    if (*inked_px > 0) undo_pen(pen, *inked_px, room);
    for (int edge = 0; edge < EDGES; edge++) {
        if (*inked_px > 0)
            rise(&window, pen->px_per_mv, room->stroke, *inked_px, room->edges[edge], room->mv[edge]);
        else
            memset(room->mv[edge], 0, (size_t)window.width * sizeof(float)); /* all bits 0: a flat line */
    }
    sample(lead, pen, room->mv, samples_mv);
    memcpy(columns_mv, room->mv[CURVE], (size_t)window.width * sizeof(float));
}

/* The next `count` elements of a block that begins at `start`; where that is NULL, nothing but their end is said. */
static void* next_of(char* start, size_t* end, size_t count, size_t size) {
    size_t begin = (*end + 15) / 16 * 16; /* aligned for any type */
    *end = begin + count * size;
    return start == NULL ? NULL : start + begin;
}

/* Lay the room for columns and rows of so many out in a block; returns the block's size. */
static size_t lay_out(Room* room, char* block, size_t width, size_t height, size_t runs) {
    size_t end = 0;
    room->paper = next_of(block, &end, width, sizeof *room->paper);
    room->rows = next_of(block, &end, height, sizeof *room->rows);
    room->starts = next_of(block, &end, width + 1, sizeof *room->starts);
    room->places = next_of(block, &end, width + 1, sizeof *room->places);
    room->covered = next_of(block, &end, width, sizeof *room->covered);
    room->name_touches = next_of(block, &end, width, sizeof *room->name_touches);
    room->stroke = next_of(block, &end, width, sizeof *room->stroke);
    room->middle = next_of(block, &end, width, sizeof *room->middle);
    for (int edge = 0; edge < EDGES; edge++) {
        room->edges[edge] = next_of(block, &end, width, sizeof *room->edges[edge]);
        room->mv[edge] = next_of(block, &end, width, sizeof *room->mv[edge]);
    }
    room->found = next_of(block, &end, runs, sizeof *room->found);
    room->runs = next_of(block, &end, runs, sizeof *room->runs);
    room->piece = next_of(block, &end, runs, sizeof *room->piece);
    room->pieces = next_of(block, &end, runs, sizeof *room->pieces);
    room->in_curve = next_of(block, &end, runs, sizeof *room->in_curve);
    return end;
}

/* Trace all leads of a page from their masks, each as large as its lead's box, row by row without a gap: 0 is paper,
   255 ink. `samples_mv` are curve, upper and lower edge, in turn: of each as many as all leads have samples, a lead's
   after those of the lead before it. `columns_mv` is the curve in every column of each lead's box, a lead's after those
   of the lead before it. `inked_px` is for each lead how many columns have ink of the curve. Returns 0, or -1 where
   there is not memory enough. */
int32_t trace_leads(const Lead* leads, const uint8_t* const* masks, int32_t count, const Pen* pen, float* samples_mv,
                    float* columns_mv, int32_t* inked_px) {
    int32_t width = 0, height = 0, runs = 0;
    ptrdiff_t samples = 0;
    for (int32_t number = 0; number < count; number++) {
        int32_t columns = leads[number].right - leads[number].left, rows = leads[number].end - leads[number].first;
        int32_t most = columns * most_runs(rows, pen->stroke_px);
        if (columns > width) width = columns;
        if (rows > height) height = rows;
        if (most > runs) runs = most;
        samples += leads[number].samples;
    }
    Room room;
    char* block = malloc(lay_out(&room, NULL, (size_t)width, (size_t)height, (size_t)runs));
    if (block == NULL) return -1;
    lay_out(&room, block, (size_t)width, (size_t)height, (size_t)runs);
    memset(room.paper, 0, (size_t)width);
    float* its_mv[EDGES] = {samples_mv, samples_mv + samples, samples_mv + 2 * samples};
    for (int32_t number = 0; number < count; number++) {
        gather_rows(leads, masks, count, &leads[number], &room);
        trace_lead(&leads[number], pen, &room, its_mv, columns_mv, &inked_px[number]);
        columns_mv += leads[number].right - leads[number].left;
        for (int edge = 0; edge < EDGES; edge++) its_mv[edge] += leads[number].samples;
    }
    free(block);
    return 0;
}
