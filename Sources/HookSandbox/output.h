// A bounded buffer for outgoing JSON. Growing past its bound is the limit `output`.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct output {
    char *bytes;
    size_t length;
    size_t capacity;
    size_t max;
};

void output_begin(struct output *output, size_t max);
void output_end(struct output *output);
void output_bytes(struct output *output, const char *bytes, size_t length);
void output_text(struct output *output, const char *text);
void output_integer(struct output *output, int64_t value);

/// The length of the well-formed UTF-8 sequence at `bytes`, or 0.
size_t utf8_sequence(const unsigned char *bytes, size_t available);

bool utf8_is_valid(const char *bytes, size_t length);

/// Writes a JSON string. Bytes that are not UTF-8 become U+FFFD; check first where that matters.
void output_string(struct output *output, const char *bytes, size_t length);
