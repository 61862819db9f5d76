/* floor USERS_PORT INTAKE_PORT: the least a notifier for crowd.c can do. One thread, epoll: answers handshakes, believes
 * every token's "sub", greets, sends each call of a batch to its user's socket, and heartbeats every 10 s, spread. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FILES 65536
#define WHEEL 500
enum { USER = 1, INTAKE };
struct peer { int kind, upgraded, user; size_t have; char *data; };
static struct peer peers[MAX_FILES];
static int of_user[MAX_FILES], ep;

static void put(int fd, const char *data, size_t size) { if (send(fd, data, size, MSG_NOSIGNAL) < 0) { } }
static void text(int fd, const char *words, size_t size) {
    char frame[8192]; size_t head = size < 126 ? 2 : 4;
    frame[0] = (char)0x81; frame[1] = (char)(size < 126 ? size : 126);
    if (head == 4) { frame[2] = (char)(size >> 8); frame[3] = (char)size; }
    memcpy(frame + head, words, size); put(fd, frame, head + size);
}
static int user_in(const char *token) {  /* of a JWT's second part, base64url */
    char out[1024]; size_t n = 0; uint32_t bits = 0; int have = 0;
    for (const char *p = strchr(token, '.') + 1; *p && *p != '.' && n < sizeof out - 1; p++) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        const char *at = strchr(digits, *p); if (!at) break;
        bits = bits << 6 | (uint32_t)(at - digits);
        if ((have += 6) >= 8) out[n++] = (char)(bits >> (have -= 8));
    }
    out[n] = 0;
    char *sub = strstr(out, "\"sub\":\""); return sub ? atoi(sub + 7) : 0;
}
static size_t on_user(int fd, struct peer *p) {
    char *end, *token;
    if (!p->upgraded) {
        if (!(end = memmem(p->data, p->have, "\r\n\r\n", 4))) return 0;
        static const char yes[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";  /* crowd.c has the key of RFC 6455's example */
        put(fd, yes, sizeof yes - 1); p->upgraded = 1;
        return (size_t)(end + 4 - p->data);
    }
    size_t size = p->have >= 2 ? p->data[1] & 127 : 0, head = 6;
    if (p->have >= 4 && size == 126) { size = (uint8_t)p->data[2] << 8 | (uint8_t)p->data[3]; head = 8; }
    if (p->have < head + size) return 0;
    if ((p->data[0] & 15) == 1 && (token = memmem(p->data, p->have, "\"token\":\"", 9)) && (p->user = user_in(token)) > 0 && p->user < MAX_FILES) {
        static const char hello[] = "{\"type\":\"hello\",\"v\":1,\"server_time\":1800000000000,\"user\":{\"id\":1,\"name\":null},\"numbers\":null,\"heartbeat_ms\":10000,\"token_expires_at\":1800000000000}";
        static const char snapshot[] = "{\"type\":\"snapshot\",\"v\":1,\"server_time\":1800000000000,\"calls\":[],\"pbxs\":[],\"dismissed\":[]}";
        of_user[p->user] = fd; text(fd, hello, sizeof hello - 1); text(fd, snapshot, sizeof snapshot - 1);
    }
    return head + size;
}
static size_t on_intake(int fd, struct peer *p) {
    char *body = memmem(p->data, p->have, "\r\n\r\n", 4), *length = memmem(p->data, p->have, "Content-Length: ", 16);
    if (!body || !length || p->have < (size_t)(body + 4 - p->data) + (size_t)atoi(length + 16)) return 0;
    char *stop = (body += 4) + atoi(length + 16), *call = memmem(body, (size_t)(stop - body), "\"calls\":[", 9);
    while (call && (call = memchr(call, '{', (size_t)(stop - call)))) {
        int depth = 0; char *end = call, words[8192];
        do depth += *end == '{' ? 1 : *end == '}' ? -1 : 0; while (++end < stop && depth);
        char *user = memmem(call, (size_t)(end - call), "\"user_id\":", 10); int id = user ? atoi(user + 10) : 0;
        if (id > 0 && id < MAX_FILES && of_user[id])
            text(of_user[id], words, (size_t)snprintf(words, sizeof words, "{\"type\":\"call\",\"v\":1,\"server_time\":1800000000000,\"call\":%.*s}", (int)(end - call), call));
        call = end;
    }
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"; put(fd, ok, sizeof ok - 1);
    return (size_t)(stop - p->data);
}
static int listen_at(int port) {
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 4096)) { perror("floor"); exit(2); }
    struct epoll_event e = { .events = EPOLLIN, .data.fd = fd }; epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    return fd;
}
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }

int main(int argc, char **argv) {
    if (argc != 3) { fputs("usage: floor USERS_PORT INTAKE_PORT\n", stderr); return 2; }
    struct rlimit files; getrlimit(RLIMIT_NOFILE, &files); files.rlim_cur = files.rlim_max; setrlimit(RLIMIT_NOFILE, &files);
    ep = epoll_create1(0);
    int users = listen_at(atoi(argv[1])), intake = listen_at(atoi(argv[2])), one = 1, position = 0;
    static char buffer[1 << 20]; struct epoll_event events[512]; double beat = now();
    for (;;) {
        int n = epoll_wait(ep, events, 512, 10);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == users || fd == intake) {
                for (int kind = fd == users ? USER : INTAKE, new; (new = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                    if (new >= MAX_FILES) { close(new); continue; }
                    setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    peers[new] = (struct peer){ .kind = kind };
                    struct epoll_event e = { .events = EPOLLIN, .data.fd = new }; epoll_ctl(ep, EPOLL_CTL_ADD, new, &e);
                }
                continue;
            }
            struct peer *p = &peers[fd];
            if (p->have) memcpy(buffer, p->data, p->have);
            ssize_t got = read(fd, buffer + p->have, sizeof buffer - 1 - p->have);
            free(p->data); p->data = NULL;
            if (got <= 0) { if (p->user) of_user[p->user] = 0; p->user = 0; close(fd); continue; }
            p->have += (size_t)got; p->data = buffer;
            for (size_t used; p->have && (used = p->kind == USER ? on_user(fd, p) : on_intake(fd, p)); p->have -= used) p->data += used;
            p->data = p->have ? memcpy(malloc(p->have), p->data, p->have) : NULL;
        }
        for (; now() - beat >= 0.02; beat += 0.02, position = (position + 1) % WHEEL)
            for (int fd = position; fd < MAX_FILES; fd += WHEEL) if (peers[fd].user) {
                static const char words[] = "{\"type\":\"heartbeat\",\"v\":1,\"server_time\":1800000000000}"; text(fd, words, sizeof words - 1);
            }
    }
}
