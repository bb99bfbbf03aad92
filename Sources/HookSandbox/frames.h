// Length-prefixed frames between a worker and serve: a u32 in network order, then that many bytes
// of JSON. Both sides bound the length before they allocate.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
    FRAME_HEADER_BYTES = 4,
    /// A request holds the script, the context and the configuration.
    FRAME_REQUEST_MAX_BYTES = 8 * 1024 * 1024,
    /// A reply to a host call.
    FRAME_REPLY_MAX_BYTES = 2 * 1024 * 1024,
};

/// Reads one frame into fresh memory, which the caller owns. `false`: the peer is gone, or the
/// frame is longer than `max`.
bool frame_read(int fd, size_t max, char **body, size_t *length);

/// Writes one frame whole. `false`: the peer is gone.
bool frame_write(int fd, const char *body, size_t length);

/// Touches the memory that frames are read into, so that the first one finds it there.
void frames_rehearse(void);
