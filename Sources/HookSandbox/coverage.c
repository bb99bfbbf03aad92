#include "coverage.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frames.h"
#include "limits.h"
#include "output.h"

// Lua's debug interface tells the lines of a function that exists, not of those that its chunk
// would make once it is called. So the lines come from the chunk's own binary form, whose layout
// is that of Lua 5.4 (ldump.c). It was made a moment ago by the same library, in this process; no
// script can make Lua load one.

enum {
    /// The signature, version, format, check bytes, three sizes, an integer and a number.
    DUMP_HEADER_BYTES = 4 + 1 + 1 + 6 + 3 + 8 + 8,
    INSTRUCTION_BYTES = 4,
    /// In the line deltas: the line stands in the absolute list instead.
    DELTA_IS_ABSOLUTE = -0x80,
    LINES_MAX = 1 << 20,
    DEPTH_MAX = 200,
};

/// One byte for each line, from 0.
enum { LINE_ACTIVE = 1, LINE_EXECUTED = 2 };

static unsigned char *lines;
static size_t line_count;
static int report_fd = -1;

struct dump {
    unsigned char *bytes;
    size_t length;
    size_t capacity;
    size_t at;
    bool is_damaged;
};

static int append(lua_State *state, const void *part, size_t length, void *context) {
    (void)state;
    struct dump *dump = context;
    if (length > dump->capacity - dump->length) {
        size_t capacity = 2 * dump->capacity + length + 4096;
        unsigned char *fresh = realloc(dump->bytes, capacity);
        if (fresh == NULL) return 1;
        dump->bytes = fresh;
        dump->capacity = capacity;
    }
    memcpy(dump->bytes + dump->length, part, length);
    dump->length += length;
    return 0;
}

static const unsigned char *take(struct dump *dump, size_t length) {
    if (dump->is_damaged || length > dump->length - dump->at) {
        dump->is_damaged = true;
        return NULL;
    }
    const unsigned char *part = dump->bytes + dump->at;
    dump->at += length;
    return part;
}

static unsigned take_byte(struct dump *dump) {
    const unsigned char *byte = take(dump, 1);
    return byte == NULL ? 0 : *byte;
}

/// Seven bits a byte, the highest first; the last byte is marked.
static size_t take_size(struct dump *dump) {
    size_t value = 0;
    while (!dump->is_damaged) {
        unsigned byte = take_byte(dump);
        if (value > SIZE_MAX >> 8) dump->is_damaged = true;
        value = value << 7 | (byte & 0x7F);
        if ((byte & 0x80) != 0) return value;
    }
    return 0;
}

static void skip_text(struct dump *dump) {
    size_t size = take_size(dump);
    if (size > 1) (void)take(dump, size - 1);
}

static void skip_constants(struct dump *dump) {
    size_t count = take_size(dump);
    for (size_t at = 0; at < count && !dump->is_damaged; at++) {
        switch (take_byte(dump)) {
        case 0x03:  // integer
        case 0x13:  // number
            (void)take(dump, 8);
            break;
        case 0x04:  // short text
        case 0x14:  // long text
            skip_text(dump);
            break;
        default: break;  // nil, false, true
        }
    }
}

static void activate(size_t line) {
    if (line == 0 || line >= LINES_MAX) return;
    if (line >= line_count) {
        size_t count = line + 1024;
        unsigned char *fresh = realloc(lines, count);
        if (fresh == NULL) return;
        memset(fresh + line_count, 0, count - line_count);
        lines = fresh;
        line_count = count;
    }
    lines[line] |= LINE_ACTIVE;
}

/// Reads the line of each instruction. Left out are what a function does before its first
/// statement, and the return that the compiler puts on the line of every `end`.
static void take_lines(struct dump *dump, size_t line, bool is_vararg) {
    size_t count = take_size(dump);
    const signed char *deltas = (const signed char *)take(dump, count);
    size_t absolutes = take_size(dump);
    size_t first_absolute = dump->at;
    for (size_t at = 0; at < absolutes && !dump->is_damaged; at++) {
        (void)take_size(dump);
        (void)take_size(dump);
    }
    if (dump->is_damaged) return;
    size_t after = dump->at;
    dump->at = first_absolute;
    for (size_t at = 0; at + 1 < count; at++) {
        if (deltas[at] == DELTA_IS_ABSOLUTE) {
            (void)take_size(dump);
            line = take_size(dump);
        } else {
            line = (size_t)((long)line + deltas[at]);
        }
        if (at > 0 || !is_vararg) activate(line);
    }
    dump->at = after;
}

static void take_function(struct dump *dump, int depth) {
    if (depth > DEPTH_MAX) dump->is_damaged = true;
    skip_text(dump);  // source
    size_t first_line = take_size(dump);
    (void)take_size(dump);  // last line
    (void)take_byte(dump);  // parameters
    bool is_vararg = take_byte(dump) != 0;
    (void)take_byte(dump);  // stack
    (void)take(dump, take_size(dump) * INSTRUCTION_BYTES);
    skip_constants(dump);
    (void)take(dump, take_size(dump) * 3);  // upvalues
    size_t functions = take_size(dump);
    for (size_t at = 0; at < functions && !dump->is_damaged; at++) {
        take_function(dump, depth + 1);
    }
    take_lines(dump, first_line, is_vararg);
    size_t locals = take_size(dump);
    for (size_t at = 0; at < locals && !dump->is_damaged; at++) {
        skip_text(dump);
        (void)take_size(dump);
        (void)take_size(dump);
    }
    size_t names = take_size(dump);
    for (size_t at = 0; at < names && !dump->is_damaged; at++) skip_text(dump);
}

/// Tells serve the lines that hold code. Those that run follow one by one: a worker that is killed
/// at a limit says nothing more, so whatever it learnt must be out by then.
static void send_active(void) {
    struct output frame;
    output_begin(&frame, FRAME_REQUEST_MAX_BYTES);
    output_text(&frame, "{\"coverage\":{\"executed\":[],\"active\":[");
    bool is_first = true;
    for (size_t line = 0; line < line_count; line++) {
        if ((lines[line] & LINE_ACTIVE) == 0) continue;
        if (!is_first) output_text(&frame, ",");
        is_first = false;
        output_integer(&frame, (int64_t)line);
    }
    output_text(&frame, "]}}");
    if (!frame_write(report_fd, frame.bytes, frame.length)) _exit(EXIT_FAILURE);
    output_end(&frame);
}

void coverage_begin(lua_State *state, int fd) {
    struct dump dump = {0};
    if (lua_dump(state, append, &dump, 0) != 0) limits_reached(EXIT_LIMIT_MEMORY);
    (void)take(&dump, DUMP_HEADER_BYTES);
    (void)take_byte(&dump);  // upvalues of the chunk
    take_function(&dump, 0);
    free(dump.bytes);
    report_fd = fd;
    send_active();
    limits_watch_lines(state);
}

void coverage_mark(int line) {
    if (line <= 0 || (size_t)line >= line_count || lines[line] != LINE_ACTIVE) return;
    lines[line] |= LINE_EXECUTED;
    char frame[32];
    int length = snprintf(frame, sizeof frame, "{\"line\":%d}", line);
    if (!frame_write(report_fd, frame, (size_t)length)) _exit(EXIT_FAILURE);
}
