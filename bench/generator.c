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
 *   rate R           one message every 1/R seconds instead of flat out; the one that writes counts alone,
 *                    and the time until each member has each message is taken
 *   member FD        hears everything; bytes are counted, not looked at
 *   keeper FD FILE   the same; all that comes is written to FILE after the clock
 *   writer FD FILE SENDER TOTAL MESSAGE_BYTES ENTRIES WINDOW
 *                    hears everything, and writes FILE: TOTAL entries in messages of that size with
 *                    so many ENTRIES each (the last may have fewer); at most WINDOW are unconfirmed
 *   source FD FILE TOTAL MESSAGE_BYTES
 *                    writes FILE: TOTAL messages of that size; what comes back is thrown away
 *   tls KEY IV SEQ   of the connection in the line before: what comes is TLS 1.3 records from that number on
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
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "base.h"
#ifdef TLS
#include "records.h"
#endif

enum { READ_MAX = 256 * 1024, EVENTS = 512, MESSAGES_PER_TURN = 4, SENDER_AT = 25 + 8, SENDER = 32, STALL_S = 15 };

typedef struct {
    int fd;
    bool looks, is_text, done, waits_to_write, is_source;
#ifdef TLS
    Records *tls;
#endif
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
static int member_count, done_count, hearing, poll_fd, timer_fd = -1;
static bool framed = true;
static uint64_t delivery, expect, all_bytes;
static double timeout = 60, rate, confirmed_at;
static uint64_t released;             /* paced: how many messages may be written by now */
static double *went_at, *last_at;     /* paced: by message, when it was written and when the last member had it */
static float *delays;                 /* paced: of each delivery, seconds */
static uint64_t delay_count;
static char buffer[READ_MAX];

/* -- writing ------------------------------------------------------------------------------------ */

static void flush(Member *m) {
    uint64_t may = (m->confirmed + m->window) / m->entries * m->message;
    if (rate && may > released * m->message) may = released * m->message;
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
        double t = now();
        for (; first < end && first < m->total; first++) {
            m->sent_at[first] = t;
            if (rate) went_at[first] = t;
        }
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

static void delayed(uint64_t first, uint64_t end) {
    double t = now();
    for (; first < end && first < expect; first++) {
        delays[delay_count++] = (float)(t - went_at[first]);
        last_at[first] = t;
    }
}

static void count(Member *m, uint64_t bytes) {
    if (rate) delayed(m->got / delivery, (m->got + bytes) / delivery);
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

static void heard(void *of, const char *p, uint64_t size) {
    Member *m = of;
    if (m->keep_path) append(&m->kept, p, size);
    feed(m, p, size);
}

static void readable(Member *m) {
    if (m->is_source) {
        take(m, buffer, READ_MAX, MSG_TRUNC);
        return;
    }
#ifdef TLS
    if (m->tls) {
        ssize_t got = take(m, records_room(m->tls), records_space(m->tls), 0);
        if (got > 0 && !open_records(m->tls, (size_t)got, heard, m)) fail("a TLS record that is none", m->fd);
        if (got > 0 && m->total) flush(m);
        return;
    }
#endif
    if (!m->looks && !rate) {
        skim(m);
        return;
    }
    ssize_t n = take(m, buffer, READ_MAX, 0);
    if (n < 0) return;
    heard(m, buffer, (uint64_t)n);
    if (m->total) flush(m);
}

/* -- the run ------------------------------------------------------------------------------------ */

static void read_writer(Member *m, const char *path) {
    unsigned long long total, message, entries = 1, window = 1ull << 32;
    if (!m->is_source)
        for (int i = 0; i < SENDER; i++) if (scanf("%2hhx", &m->sender[i]) != 1) fail("no id", member_count);
    if (scanf("%llu %llu", &total, &message) != 2) fail("no sizes", member_count);
    if (!m->is_source && scanf("%llu %llu", &entries, &window) != 2) fail("no window", member_count);
    m->outgoing = load(path);
    m->total = total; m->message = message; m->entries = entries; m->window = window;
    m->delivery = malloc(delivery);
    m->sent_at = calloc(total, sizeof *m->sent_at);
}

static void read_tls(void) {
    char key[65], iv[25];
    unsigned long long seq;
    if (!member_count || scanf("%64s %24s %llu", key, iv, &seq) != 3) fail("a plan that is none", member_count);
#ifdef TLS
    if (!(members[member_count - 1].tls = records_from(key, iv, seq))) fail("no TLS keys", member_count);
#else
    fail("compiled without TLS", member_count);
#endif
}

static void read_plan(void) {
    char word[16], path[1024];
    for (int room = 0; scanf("%15s", word) == 1;) {
        if (!strcmp(word, "tls")) { read_tls(); continue; }
        unsigned long long number;
        if (scanf("%llu", &number) != 1) fail("a plan that is none", member_count);
        if (!strcmp(word, "framed")) { framed = number; continue; }
        if (!strcmp(word, "delivery")) { delivery = number; continue; }
        if (!strcmp(word, "expect")) { expect = number; continue; }
        if (!strcmp(word, "timeout")) { timeout = (double)number; continue; }
        if (!strcmp(word, "rate")) { rate = (double)number; continue; }
        if (member_count == room) members = realloc(members, sizeof *members * (size_t)(room = 2 * room + 64));
        Member *m = &members[member_count++];
        bool writes = !strcmp(word, "writer") || !strcmp(word, "source");
        *m = (Member){.fd = (int)number, .looks = writes || !strcmp(word, "keeper"),
                      .is_source = !strcmp(word, "source")};
        hearing += !m->is_source;
        if (m->looks && scanf("%1023s", path) != 1) fail("a plan that is none", member_count);
        if (!strcmp(word, "keeper")) m->keep_path = strdup(path);
        if (writes) read_writer(m, path);
    }
    if (!delivery || !expect || !hearing) fail("a plan without work", member_count);
}

static void wait_for(Member *m) {
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = m};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, m->fd, &wanted)) fail("cannot wait for a socket", errno);
}

static void prepare_pace(void) {
    went_at = calloc(expect, sizeof *went_at);
    last_at = calloc(expect, sizeof *last_at);
    delays = calloc(expect * (uint64_t)hearing, sizeof *delays);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct timespec every = {.tv_sec = (time_t)(1 / rate), .tv_nsec = (long)(1e9 / rate) % 1000000000};
    struct itimerspec pace = {.it_interval = every, .it_value = every};
    if (timer_fd < 0 || timerfd_settime(timer_fd, 0, &pace, NULL)) fail("no timer", errno);
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer_fd, &wanted);
}

static void write_on(void) {
    uint64_t ticks;
    if (timer_fd >= 0 && read(timer_fd, &ticks, sizeof ticks) == sizeof ticks) released += ticks;
    for (int i = 0; i < member_count; i++) if (members[i].total) flush(&members[i]);
}

static void run(double began) {
    struct epoll_event events[EVENTS];
    double progress_at = began;
    uint64_t before = 0;
    write_on();
    while (done_count < hearing) {
        int n = epoll_wait(poll_fd, events, EVENTS, 200);
        for (int i = 0; i < n; i++) {
            Member *m = events[i].data.ptr;
            if (!m) { write_on(); continue; }
            if (events[i].events & ~(unsigned)EPOLLOUT) readable(m);
            if (events[i].events & EPOLLOUT) flush(m);
        }
        double t = now();
        if (all_bytes > before) { before = all_bytes; progress_at = t; }
        if (t - progress_at > STALL_S) fail("stalled; members that have everything:", done_count);
        if (t - began > timeout) fail("not done in time; members that have everything:", done_count);
    }
}

/* The time from writing a message until its author has it back; of sources it is not known. */
static void report_receipts(void) {
    uint64_t written = 0, at = 0;
    for (int i = 0; i < member_count; i++) if (!members[i].is_source) written += members[i].total;
    double *waits = malloc(sizeof *waits * (written + 1));
    for (int i = 0; i < member_count; i++) {
        if (!members[i].total || members[i].is_source) continue;
        memcpy(waits + at, members[i].sent_at, sizeof *waits * members[i].total);
        at += members[i].total;
    }
    if (!written) waits[written++] = 0;
    qsort(waits, written, sizeof *waits, ascending);
    printf("\"receipt_p50_ms\":%.3f,\"receipt_p99_ms\":%.3f", waits[written / 2] * 1e3,
           waits[written - 1 - written / 100] * 1e3);
}

static void report_delays(void) {
    if (!rate || !delay_count) return;
    for (uint64_t i = 0; i < expect; i++) last_at[i] -= went_at[i];
    qsort(last_at, expect, sizeof *last_at, ascending);
    qsort(delays, delay_count, sizeof *delays, rising);
    printf(",\"all_p50_ms\":%.3f,\"all_p99_ms\":%.3f,\"last_p50_ms\":%.3f,\"last_p99_ms\":%.3f",
           (double)delays[delay_count / 2] * 1e3, (double)delays[delay_count - 1 - delay_count / 100] * 1e3,
           last_at[expect / 2] * 1e3, last_at[expect - 1 - expect / 100] * 1e3);
}

static void report(double began, double ended) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
               + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("{\"ok\":true,\"wall_s\":%.6f,\"confirmed_s\":%.6f,\"deliveries\":%llu,"
           "\"generator_cpu_s\":%.3f,", ended - began, (confirmed_at ? confirmed_at : ended) - began, (unsigned long long)(all_bytes / delivery), cpu);
    report_receipts();
    report_delays();
    printf(",\"records\":[");
#ifdef TLS
    const char *comma = "";
    for (int i = 0; i < member_count; i++) {
        if (members[i].tls) { printf("%s%llu", comma, records_seen(members[i].tls)); comma = ","; }
    }
#endif
    printf("]}\n");
}

int main(void) {
    read_plan();
    poll_fd = epoll_create1(0);
    for (int i = 0; i < member_count; i++) wait_for(&members[i]);
    if (rate) prepare_pace();
    double began = now();
    run(began);
    double ended = now();
    for (int i = 0; i < member_count; i++) {
        Member *m = &members[i];
        if (m->is_source) continue;
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
