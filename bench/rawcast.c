/* rawcast.c - the cheapest broadcast server there can be, as the limit to compare with.
 *
 *   rawcast chunk|each MESSAGE_BYTES
 *
 * Everyone hears everyone: what one connection writes goes to all, its writer included. `chunk`: the
 * whole messages of what one read (<= 64 KiB) returned go out with one send per member; `each`: one
 * send per message and member. No framing, no queue, no disk; sends block, so a full member holds up
 * everybody. Prints its port, greets each connection with one byte, and ends with its stdin.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 65536, MEMBERS = 65536, EVENTS = 256 };

static int members[MEMBERS], member_count;
static char *partial[MEMBERS];               /* by descriptor: what a writer has said */
static size_t partial_size[MEMBERS];

static void send_all(int fd, const char *data, size_t size) {
    while (size) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n <= 0) return;
        data += n; size -= (size_t)n;
    }
}

static void leave(int fd) {
    for (int i = 0; i < member_count; i++) if (members[i] == fd) members[i--] = members[--member_count];
    free(partial[fd]);
    partial[fd] = NULL;
    partial_size[fd] = 0;
    close(fd);
}

static void copy(int fd, size_t message, bool each) {
    if (!partial[fd]) partial[fd] = malloc(CHUNK);
    char *data = partial[fd];
    ssize_t n = recv(fd, data + partial_size[fd], CHUNK - partial_size[fd], 0);
    if (n <= 0) { leave(fd); return; }
    size_t size = partial_size[fd] + (size_t)n, whole = size / message * message, step = each ? message : whole;
    for (size_t at = 0; at < whole; at += step)
        for (int i = 0; i < member_count; i++) send_all(members[i], data + at, step);
    partial_size[fd] = size - whole;
    memmove(data, data + whole, size - whole);
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "rawcast chunk|each MESSAGE_BYTES\n"), 2;
    bool each = !strcmp(argv[1], "each");
    size_t message = (size_t)atol(argv[2]);
    int listening = socket(AF_INET, SOCK_STREAM, 0), one = 1, poll_fd = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listening, (void *)&address, size) || listen(listening, 4096)) return perror("rawcast"), 1;
    getsockname(listening, (void *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = listening}, events[EVENTS];
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, listening, &wanted);
    wanted.data.fd = STDIN_FILENO;
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &wanted);
    for (;;) {
        int n = epoll_wait(poll_fd, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO) return 0;
            if (fd != listening) { copy(fd, message, each); continue; }
            if ((fd = accept(listening, NULL, NULL)) < 0) continue;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            members[member_count++] = fd;
            wanted.data.fd = fd;
            epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &wanted);
            send_all(fd, "+", 1);
        }
    }
}
