/* generator.c - the load of every measurement: writes prepared bytes, counts what every member gets.
 *
 * The driver connects and proves all members; this program inherits their sockets, so that no
 * handshake and no cryptography is inside the clock, and one generator measures every server.
 * The plan comes on stdin, one line each, paths without spaces:
 *
 *   framed 0|1       whether what comes is WebSocket messages (text messages are passed over)
 *   delivery BYTES   of one frame 02, the same for all
 *   expect COUNT     deliveries that each member must get
 *   timeout S        from the first byte written
 *   member FD        hears everything; bytes are counted, not looked at
 *   keeper FD FILE   the same; all that comes is written to FILE after the clock
 *   writer FD FILE SENDER TOTAL MESSAGE_BYTES ENTRIES WINDOW
 *                    hears everything, and writes FILE: TOTAL entries in messages of that size with
 *                    so many ENTRIES each (the last may have fewer); at most WINDOW are unconfirmed
 *
 * An entry is confirmed when it comes back to its writer, who knows it by its own id (SENDER, hex).
 * One line of JSON on stdout; status 0: everything came, 1: it did not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_MAX = 256 * 1024, EVENTS = 512, MESSAGES_PER_TURN = 4, SENDER_AT = 25 + 8, SENDER = 32, STALL_S = 15 };

typedef struct { char *data; size_t size, room; } Bytes;

typedef struct {
    int fd;
    bool looks, is_text, done, waits_to_write;
    uint8_t head[4];
    int head_have;
    uint64_t left;                /* of the WebSocket message that is coming */
    uint64_t got;                 /* bytes of deliveries */
    const char *keep_path;
    Bytes kept;
    Bytes outgoing;               /* writer: everything to say */
    uint64_t sent, message, entries, window, confirmed, total;
    char *delivery;
    uint8_t sender[SENDER];
    double *sent_at;              /* writer: per entry, until it is confirmed; then the time that took */
} Member;

static Member *members;
static int member_count, done_count, poll_fd;
static bool framed = true;
static uint64_t delivery, expect, all_bytes;
static double timeout = 60, confirmed_at;
static char buffer[READ_MAX];

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
    FILE *file = fopen(path, "rb");
    if (!file) fail("cannot open a writer's file", errno);
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, file)) > 0;) append(&all, buffer, n);
    fclose(file);
    return all;
}

/* -- writing ------------------------------------------------------------------------------------ */

static void flush(Member *m) {
    uint64_t may = (m->confirmed + m->window) / m->entries * m->message;
    if (may > m->outgoing.size) may = m->outgoing.size;
    bool full = false;
    while (m->sent < may && !full) {
        ssize_t n = send(m->fd, m->outgoing.data + m->sent, may - m->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) fail("a writer was cut off", errno);
        full = n < 0;
        if (full) break;
        uint64_t first = m->sent / m->message * m->entries, end = (m->sent + n) / m->message * m->entries;
        m->sent += n;
        if (m->sent == m->outgoing.size) end = m->total;
        for (double t = now(); first < end && first < m->total; first++) m->sent_at[first] = t;
    }
    if (full == m->waits_to_write) return;
    struct epoll_event wanted = {.events = EPOLLIN | (full ? EPOLLOUT : 0), .data.ptr = m};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, m->fd, &wanted);
    m->waits_to_write = full;
}

static void confirm(Member *m) {
    if (m->confirmed == m->total) fail("a writer got more than it wrote", (long)m->total);
    double t = now();
    m->sent_at[m->confirmed] = t - m->sent_at[m->confirmed];
    m->confirmed++;
    confirmed_at = t;
}

/* -- reading ------------------------------------------------------------------------------------ */

static void count(Member *m, uint64_t bytes) {
    m->got += bytes;
    all_bytes += bytes;
    if (m->got > expect * delivery) fail("a member got more than was written", (long)m->got);
    if (m->got == expect * delivery && !m->done) {
        m->done = true;
        done_count++;
    }
}

static void open_message(Member *m) {
    m->head_have = 0;
    m->is_text = m->head[0] == 0x81;
    if (m->head[0] != 0x82 && !m->is_text) fail("not a text or binary message", m->head[0]);
    if (m->head[1] < 126) {                      /* then the other two bytes are of the payload */
        if (!m->is_text || m->head[1] < 2) fail("a message too small for a frame", m->head[1]);
        m->left = m->head[1] - 2u;
    } else if (m->head[1] == 126) {
        m->left = (uint64_t)m->head[2] << 8 | m->head[3];
    } else fail("a message of 64 KiB or more", m->head[1]);
}

static void look(Member *m, const char *p, uint64_t size) {
    for (uint64_t at = m->got % delivery; size;) {
        uint64_t n = delivery - at < size ? delivery - at : size;
        memcpy(m->delivery + at, p, n);
        count(m, n);
        p += n; size -= n; at += n;
        if (at < delivery) return;
        at = 0;
        if (!memcmp(m->delivery + SENDER_AT, m->sender, SENDER)) confirm(m);
    }
}

static void feed(Member *m, const char *p, uint64_t size) {
    while (size) {
        if (framed && !m->left) {
            m->head[m->head_have++] = (uint8_t)*p++;
            size--;
            if (m->head_have == 4) open_message(m);
            continue;
        }
        uint64_t n = framed && m->left < size ? m->left : size;
        if (!m->is_text) {
            if (m->total) look(m, p, n);
            else count(m, n);
        }
        if (framed) m->left -= n;
        p += n; size -= n;
    }
}

static ssize_t take(Member *m, void *into, uint64_t most, int flags) {
    ssize_t n = recv(m->fd, into, most, flags | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) fail("a member was cut off", errno);
    if (n == 0) fail("the server closed a connection", m->fd);
    return n;
}

/* The kernel throws the bytes away without copying them (MSG_TRUNC); only headers are fetched. */
static void skim(Member *m) {
    if (!framed) {
        ssize_t n = take(m, buffer, READ_MAX, MSG_TRUNC);
        if (n > 0) count(m, n);
        return;
    }
    for (int turn = 0; turn < MESSAGES_PER_TURN; turn++) {
        if (!m->left) {
            ssize_t n = take(m, m->head + m->head_have, 4 - m->head_have, 0);
            if (n < 0) return;
            m->head_have += (int)n;
            if (m->head_have < 4) return;
            open_message(m);
        }
        if (!m->left) continue;
        ssize_t n = take(m, buffer, m->left, MSG_TRUNC);
        if (n < 0) return;
        m->left -= n;
        if (!m->is_text) count(m, n);
        if (m->left) return;
    }
}

static void readable(Member *m) {
    if (!m->looks) {
        skim(m);
        return;
    }
    ssize_t n = take(m, buffer, READ_MAX, 0);
    if (n < 0) return;
    if (m->keep_path) append(&m->kept, buffer, n);
    feed(m, buffer, n);
    if (m->total) flush(m);
}

/* -- the run ------------------------------------------------------------------------------------ */

static void read_plan(void) {
    char word[16], path[1024];
    for (int room = 0; scanf("%15s", word) == 1;) {
        unsigned long long number;
        if (scanf("%llu", &number) != 1) fail("a plan that is none", member_count);
        if (!strcmp(word, "framed")) { framed = number; continue; }
        if (!strcmp(word, "delivery")) { delivery = number; continue; }
        if (!strcmp(word, "expect")) { expect = number; continue; }
        if (!strcmp(word, "timeout")) { timeout = (double)number; continue; }
        if (member_count == room) members = realloc(members, sizeof *members * (size_t)(room = 2 * room + 64));
        Member *m = &members[member_count++];
        *m = (Member){.fd = (int)number, .looks = strcmp(word, "member") != 0};
        if (m->looks && scanf("%1023s", path) != 1) fail("a plan that is none", member_count);
        if (!strcmp(word, "keeper")) m->keep_path = strdup(path);
        if (strcmp(word, "writer")) continue;
        unsigned long long total, message, entries, window;
        for (int i = 0; i < SENDER; i++) if (scanf("%2hhx", &m->sender[i]) != 1) fail("no id", member_count);
        if (scanf("%llu %llu %llu %llu", &total, &message, &entries, &window) != 4) fail("no sizes", member_count);
        m->outgoing = load(path);
        m->total = total; m->message = message; m->entries = entries; m->window = window;
    }
    if (!delivery || !expect || !member_count) fail("a plan without work", member_count);
}

static void prepare(Member *m) {
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = m};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, m->fd, &wanted)) fail("cannot wait for a socket", errno);
    if (!m->total) return;
    m->delivery = malloc(delivery);
    m->sent_at = calloc(m->total, sizeof *m->sent_at);
}

static void run(double began) {
    struct epoll_event events[EVENTS];
    double progress_at = began;
    uint64_t before = 0;
    for (int i = 0; i < member_count; i++) if (members[i].total) flush(&members[i]);
    while (done_count < member_count) {
        int n = epoll_wait(poll_fd, events, EVENTS, 200);
        for (int i = 0; i < n; i++) {
            Member *m = events[i].data.ptr;
            if (events[i].events & ~(unsigned)EPOLLOUT) readable(m);
            if (events[i].events & EPOLLOUT) flush(m);
        }
        double t = now();
        if (all_bytes > before) { before = all_bytes; progress_at = t; }
        if (t - progress_at > STALL_S) fail("stalled; members that have everything:", done_count);
        if (t - began > timeout) fail("not done in time; members that have everything:", done_count);
    }
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(double began, double ended) {
    uint64_t written = 0, at = 0;
    for (int i = 0; i < member_count; i++) written += members[i].total;
    double *waits = malloc(sizeof *waits * written);
    for (int i = 0; i < member_count; i++) {
        if (!members[i].total) continue;
        memcpy(waits + at, members[i].sent_at, sizeof *waits * members[i].total);
        at += members[i].total;
    }
    qsort(waits, written, sizeof *waits, ascending);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
               + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("{\"ok\":true,\"wall_s\":%.6f,\"confirmed_s\":%.6f,\"deliveries\":%llu,\"generator_cpu_s\":%.3f,"
           "\"receipt_p50_ms\":%.3f,\"receipt_p99_ms\":%.3f}\n",
           ended - began, confirmed_at - began, (unsigned long long)(all_bytes / delivery), cpu,
           waits[written / 2] * 1e3, waits[written - 1 - written / 100] * 1e3);
}

int main(void) {
    read_plan();
    poll_fd = epoll_create1(0);
    for (int i = 0; i < member_count; i++) prepare(&members[i]);
    double began = now();
    run(began);
    double ended = now();
    for (int i = 0; i < member_count; i++) {
        Member *m = &members[i];
        if (m->left || m->head_have) fail("a run ended within a message", m->fd);
        if (m->total && m->confirmed != m->total) fail("a writer lacks receipts", (long)(m->total - m->confirmed));
        if (!m->keep_path) continue;
        FILE *file = fopen(m->keep_path, "wb");
        if (!file || fwrite(m->kept.data, 1, m->kept.size, file) != m->kept.size || fclose(file))
            fail("cannot keep what came", errno);
    }
    report(began, ended);
    return 0;
}
