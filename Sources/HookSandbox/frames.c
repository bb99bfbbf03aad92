#include "frames.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOGETHER_MAX_BYTES = 4096 };

/// What was read beyond what was asked for. serve speaks only when asked, so that is the rest of
/// a frame: its head and a body of usual length come with one system call.
static char ahead[TOGETHER_MAX_BYTES];
static size_t ahead_start, ahead_end;

/// At least one byte and at most `length`; 0 when the peer is gone.
static size_t read_some(int fd, char *into, size_t length) {
    for (;;) {
        ssize_t got = read(fd, into, length);
        if (got < 0 && errno == EINTR) continue;
        return got <= 0 ? 0 : (size_t)got;
    }
}

static bool read_exact(int fd, char *into, size_t length) {
    while (length > 0) {
        if (ahead_start < ahead_end) {
            size_t count = ahead_end - ahead_start;
            if (count > length) count = length;
            memcpy(into, ahead + ahead_start, count);
            ahead_start += count;
            into += count;
            length -= count;
        } else if (length < sizeof ahead) {
            ahead_start = 0;
            ahead_end = read_some(fd, ahead, sizeof ahead);
            if (ahead_end == 0) return false;
        } else {
            size_t count = read_some(fd, into, length);
            if (count == 0) return false;
            into += count;
            length -= count;
        }
    }
    return true;
}

static bool write_exact(int fd, const char *from, size_t length) {
    while (length > 0) {
        ssize_t put = write(fd, from, length);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        from += put;
        length -= (size_t)put;
    }
    return true;
}

bool frame_read(int fd, size_t max, char **body, size_t *length) {
    uint32_t header;
    if (!read_exact(fd, (char *)&header, sizeof header)) return false;
    size_t count = ntohl(header);
    if (count == 0 || count > max) return false;
    char *bytes = malloc(count + 1);
    if (bytes == NULL) return false;
    if (!read_exact(fd, bytes, count)) {
        free(bytes);
        return false;
    }
    bytes[count] = '\0';
    *body = bytes;
    *length = count;
    return true;
}

bool frame_write(int fd, const char *body, size_t length) {
    if (length == 0 || length > UINT32_MAX) return false;
    uint32_t header = htonl((uint32_t)length);
    char whole[TOGETHER_MAX_BYTES];
    if (length <= sizeof whole - sizeof header) {
        // One write wakes the reader once.
        memcpy(whole, &header, sizeof header);
        memcpy(whole + sizeof header, body, length);
        return write_exact(fd, whole, sizeof header + length);
    }
    return write_exact(fd, (const char *)&header, sizeof header) && write_exact(fd, body, length);
}

void frames_rehearse(void) { memset(ahead, 0, sizeof ahead); }
