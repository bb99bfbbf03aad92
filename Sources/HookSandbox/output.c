#include "output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"

void output_begin(struct output *output, size_t max) {
    *output = (struct output){.max = max};
}

void output_end(struct output *output) {
    free(output->bytes);
    *output = (struct output){0};
}

void output_bytes(struct output *output, const char *bytes, size_t length) {
    if (length > output->max - output->length) limits_reached(EXIT_LIMIT_OUTPUT);
    if (length > output->capacity - output->length) {
        size_t capacity = output->capacity == 0 ? 512 : output->capacity;
        while (capacity - output->length < length) capacity *= 2;
        char *fresh = realloc(output->bytes, capacity);
        if (fresh == NULL) limits_reached(EXIT_LIMIT_MEMORY);
        output->bytes = fresh;
        output->capacity = capacity;
    }
    memcpy(output->bytes + output->length, bytes, length);
    output->length += length;
}

void output_text(struct output *output, const char *text) {
    output_bytes(output, text, strlen(text));
}

void output_integer(struct output *output, int64_t value) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, value);
    output_bytes(output, digits, (size_t)length);
}

static bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

size_t utf8_sequence(const unsigned char *bytes, size_t available) {
    if (available == 0) return 0;
    unsigned char first = bytes[0];
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) {
        return available >= 2 && is_continuation(bytes[1]) ? 2 : 0;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        if (available < 3 || !is_continuation(bytes[1]) || !is_continuation(bytes[2])) return 0;
        if (first == 0xE0 && bytes[1] < 0xA0) return 0;  // overlong
        if (first == 0xED && bytes[1] > 0x9F) return 0;  // a surrogate
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (available < 4 || !is_continuation(bytes[1]) || !is_continuation(bytes[2]) ||
            !is_continuation(bytes[3])) {
            return 0;
        }
        if (first == 0xF0 && bytes[1] < 0x90) return 0;  // overlong
        if (first == 0xF4 && bytes[1] > 0x8F) return 0;  // beyond U+10FFFF
        return 4;
    }
    return 0;
}

bool utf8_is_valid(const char *bytes, size_t length) {
    for (size_t at = 0; at < length;) {
        size_t step = utf8_sequence((const unsigned char *)bytes + at, length - at);
        if (step == 0) return false;
        at += step;
    }
    return true;
}

void output_string(struct output *output, const char *bytes, size_t length) {
    output_text(output, "\"");
    for (size_t at = 0; at < length;) {
        unsigned char byte = (unsigned char)bytes[at];
        if (byte == '"' || byte == '\\') {
            char pair[2] = {'\\', (char)byte};
            output_bytes(output, pair, sizeof pair);
            at += 1;
        } else if (byte < 0x20) {
            char escape[8];
            int count = snprintf(escape, sizeof escape, "\\u%04x", byte);
            output_bytes(output, escape, (size_t)count);
            at += 1;
        } else {
            size_t step = utf8_sequence((const unsigned char *)bytes + at, length - at);
            if (step == 0) {
                output_text(output, "\xEF\xBF\xBD");
                at += 1;
            } else {
                output_bytes(output, bytes + at, step);
                at += step;
            }
        }
    }
    output_text(output, "\"");
}
