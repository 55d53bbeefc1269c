/* base.h - what the generator is made of: the clock, an end with a reason, bytes that grow, orders to sort by. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct { char *data; size_t size, room; } Bytes;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what, long number) {
    printf("{\"ok\":false,\"error\":\"%s (%ld)\"}\n", what, number);
    exit(1);
}

static void append(Bytes *to, const char *from, size_t size) {
    if (to->size + size > to->room) {
        to->room = 2 * (to->size + size);
        to->data = realloc(to->data, to->room);
        if (!to->data) fail("out of memory", (long)to->room);
    }
    memcpy(to->data + to->size, from, size);
    to->size += size;
}

static Bytes load(const char *path) {
    Bytes all = {0};
    static char part[65536];
    FILE *file = fopen(path, "rb");
    if (!file) fail("cannot open a writer's file", errno);
    for (size_t n; (n = fread(part, 1, sizeof part, file)) > 0;) append(&all, part, n);
    fclose(file);
    return all;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int rising(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}
