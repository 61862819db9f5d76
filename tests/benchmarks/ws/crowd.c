/*
 * crowd - many logged-in browsers and one tap, against a running notifier (epoll, one thread, libc only).
 *
 *   cc -O2 -Wall -o crowd crowd.c
 *   crowd HOST:PORT INTAKE_PORT SECRET TOKENS CONNS AT_ONCE RATE SECONDS PID
 *
 * Opens CONNS WebSockets, AT_ONCE handshakes in flight; the n-th logs in with the n-th line of the file TOKENS, whose user is
 * n+1. Then it is the tap: RATE states a second for SECONDS, each a new call of a random user, one POST in flight, as
 * the intake's contract asks. Each state carries the time at which it was meant to leave, so a late POST counts as
 * latency (no coordinated omission). Pings are answered. One line of JSON at the end; memory and CPU of PID are from
 * /proc.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

enum { IDLE, CONNECTING, UPGRADING, GREETING, READY, GONE };
struct conn { int fd, state; size_t have; char *rest; };

static struct conn *conns;
static char **tokens;
static int total, opened, ready, gone, inflight, at_once, ep;
static struct sockaddr_in users_at;
static double *latency;
static size_t delivered, capacity, wrong;

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
static void die(const char *what) { perror(what); exit(1); }

static double cpu_of(int pid) {
    char path[64], line[1024]; snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r"); if (!f || !fgets(line, sizeof line, f)) die(path);
    fclose(f);
    unsigned long user, system; char *after = strrchr(line, ')');
    if (sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) die("stat");
    return (double)(user + system) / sysconf(_SC_CLK_TCK);
}
static long rss_of(int pid) {
    char path[64]; long size, pages; snprintf(path, sizeof path, "/proc/%d/statm", pid);
    FILE *f = fopen(path, "r"); if (!f || fscanf(f, "%ld %ld", &size, &pages) != 2) die(path);
    fclose(f); return pages * sysconf(_SC_PAGESIZE) / 1024;
}

static void leave(struct conn *c) {
    if (c->state == READY) ready--; else inflight--;
    c->state = GONE; gone++; close(c->fd); free(c->rest); c->rest = NULL;
}
static void put(struct conn *c, const void *data, size_t size) {
    if (send(c->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) leave(c);  /* a few hundred bytes always fit */
}
static void send_text(struct conn *c, const char *text, size_t size) {  /* masked with the key 0: the bytes stay */
    char frame[4400]; size_t head = size < 126 ? 6 : 8;
    memset(frame, 0, head); frame[0] = (char)0x81;
    if (size < 126) frame[1] = (char)(0x80 | size);
    else { frame[1] = (char)0xfe; frame[2] = (char)(size >> 8); frame[3] = (char)size; }
    memcpy(frame + head, text, size); put(c, frame, head + size);
}
static void open_next(void) {
    while (opened < total && inflight < at_once) {
        struct conn *c = &conns[opened];
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); if (c->fd < 0) die("socket");
        int one = 1; setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001 + 1 + opened % 60) };
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(c->fd, (struct sockaddr *)&from, sizeof from)) die("bind");
        if (connect(c->fd, (struct sockaddr *)&users_at, sizeof users_at) && errno != EINPROGRESS) die("connect");
        c->state = CONNECTING; inflight++;
        struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.u32 = opened++ };
        if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e)) die("epoll_ctl");
    }
}
static void on_text(struct conn *c, char *text, size_t size) {
    if (c->state == GREETING && memmem(text, size < 64 ? size : 64, "\"snapshot\"", 10)) { c->state = READY; ready++; inflight--; open_next(); return; }
    if (c->state != READY || !memmem(text, size < 64 ? size : 64, "\"type\":\"call\"", 13)) return;
    char *at = memmem(text, size, "\"first_linkedid\":\"", 18), *user = memmem(text, size, "\"user_id\":", 10);
    if (!at || !user || atoi(user + 10) != c - conns + 1) { wrong++; return; }
    if (delivered < capacity) latency[delivered++] = now() - strtod(at + 18, NULL);
}
static void on_bytes(struct conn *c, char *data, size_t size) {
    while (size && c->state != GONE) {
        if (c->state == UPGRADING) {
            char *end = memmem(data, size, "\r\n\r\n", 4); if (!end) break;
            if (memcmp(data, "HTTP/1.1 101", 12)) { fprintf(stderr, "refused: %.60s\n", data); leave(c); return; }
            size -= end + 4 - data; data = end + 4; c->state = GREETING;
            char text[4200]; int n = snprintf(text, sizeof text, "{\"v\":1,\"type\":\"auth\",\"token\":\"%s\",\"tab_id\":\"b\"}", tokens[c - conns]);
            send_text(c, text, n); continue;
        }
        if (size < 2) break;
        size_t head = 2, length = data[1] & 127;
        if (length == 126) { head = 4; if (size < 4) break; length = (uint8_t)data[2] << 8 | (uint8_t)data[3]; }
        else if (length == 127) { head = 10; if (size < 10) break; length = 0; for (int i = 2; i < 10; i++) length = length << 8 | (uint8_t)data[i]; }
        if (size < head + length) break;
        switch (data[0] & 15) {
            case 1: on_text(c, data + head, length); break;
            case 9: put(c, "\x8a\x80\0\0\0\0", 6); break;
            case 8: leave(c); return;
        }
        data += head + length; size -= head + length;
    }
    if (c->state == GONE) return;
    free(c->rest); c->rest = NULL; c->have = size;
    if (size) { c->rest = malloc(size); memcpy(c->rest, data, size); }
}
static void on_event(struct conn *c, uint32_t events) {
    static char buffer[1 << 20];
    if (c->state == GONE) return;
    if (c->state == CONNECTING && events & EPOLLOUT) {
        struct epoll_event e = { .events = EPOLLIN, .data.u32 = c - conns }; epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
        static const char upgrade[] = "GET /ws HTTP/1.1\r\nHost: notifier\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Origin: http://notifier\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36\r\n"
            "Accept-Language: ru-RU,ru;q=0.9,en;q=0.8\r\nAccept-Encoding: gzip, deflate, br\r\nCache-Control: no-cache\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        c->state = UPGRADING; put(c, upgrade, sizeof upgrade - 1); return;
    }
    if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP))) return;
    memcpy(buffer, c->rest ? c->rest : "", c->have);
    ssize_t n = read(c->fd, buffer + c->have, sizeof buffer - c->have);
    if (n <= 0) { if (n == 0 || errno != EAGAIN) { leave(c); open_next(); } return; }
    on_bytes(c, buffer, c->have + n);
}
static void pump(int milliseconds, int intake, bool *busy) {
    struct epoll_event events[512];
    int n = epoll_wait(ep, events, 512, milliseconds);
    for (int i = 0; i < n; i++) {
        if (events[i].data.u32 != UINT32_MAX) { on_event(&conns[events[i].data.u32], events[i].events); continue; }
        char answer[65536]; ssize_t got = read(intake, answer, sizeof answer - 1); if (got <= 0) die("intake");
        answer[got] = 0;
        if (memcmp(answer, "HTTP/1.1 200", 12)) { fprintf(stderr, "intake: %s\n", answer); exit(1); }
        *busy = false;
    }
}
static int by_size(const void *a, const void *b) { double x = *(double *)a, y = *(double *)b; return (x > y) - (x < y); }
static double at_rank(double rank) { return delivered ? 1000 * latency[(size_t)(rank * (delivered - 1))] : -1; }

int main(int argc, char **argv) {
    if (argc != 10) { fputs("usage: crowd HOST:PORT INTAKE_PORT SECRET TOKENS CONNS AT_ONCE RATE SECONDS PID\n", stderr); return 2; }
    char *colon = strchr(argv[1], ':'); *colon = 0;
    users_at.sin_family = AF_INET; users_at.sin_port = htons(atoi(colon + 1)); inet_pton(AF_INET, argv[1], &users_at.sin_addr);
    total = atoi(argv[5]); at_once = atoi(argv[6]); double rate = atof(argv[7]), seconds = atof(argv[8]); int pid = atoi(argv[9]);
    struct rlimit files; getrlimit(RLIMIT_NOFILE, &files); files.rlim_cur = files.rlim_max; setrlimit(RLIMIT_NOFILE, &files);
    conns = calloc(total, sizeof *conns); tokens = calloc(total, sizeof *tokens);
    FILE *f = fopen(argv[4], "r"); if (!f) die(argv[4]);
    for (int i = 0; i < total; i++) { char line[4096]; if (!fgets(line, sizeof line, f)) die("tokens"); line[strcspn(line, "\n")] = 0; tokens[i] = strdup(line); }
    ep = epoll_create1(0);

    long rss0 = rss_of(pid); double cpu0 = cpu_of(pid), start = now(); bool busy = false;
    open_next();
    while (ready + gone < total && now() - start < 60) pump(100, -1, &busy);
    double connected = now() - start, cpu1 = cpu_of(pid);
    for (double until = now() + 3; now() < until;) pump(50, -1, &busy);
    long rss1 = rss_of(pid);

    int intake = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in intake_at = users_at; intake_at.sin_port = htons(atoi(argv[2]));
    if (connect(intake, (struct sockaddr *)&intake_at, sizeof intake_at)) die("intake");
    int one = 1; setsockopt(intake, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = { .events = EPOLLIN, .data.u32 = UINT32_MAX }; epoll_ctl(ep, EPOLL_CTL_ADD, intake, &e);
    capacity = (size_t)(rate * seconds) + 1; latency = calloc(capacity + 1, sizeof *latency);
    struct timespec wall; clock_gettime(CLOCK_REALTIME, &wall); long long ms = wall.tv_sec * 1000LL + wall.tv_nsec / 1000000;
    size_t sent = 0, count = (size_t)(rate * seconds), seq = 0; static char body[1 << 20], request[1 << 20 | 1024];
    double cpu2 = cpu_of(pid), began = now() + 0.1, ended = began + seconds;
    srandom(1);
    while (now() < ended + 1 && (delivered + wrong < count || now() < ended)) {
        double t = now(); size_t due = t < began ? 0 : (size_t)((t - began) * rate);
        if (due > count) due = count;
        if (!busy && due > sent) {
            int n = sprintf(body, "{\"pbx\":\"main\",\"run\":%lld,\"seq\":%zu,\"now\":%lld,\"live\":null,\"calls\":[", ms, ++seq, ms + (long long)((t - start) * 1000));
            for (size_t first = sent; sent < due && sent < first + 400; sent++)
                n += sprintf(body + n, "%s{\"call_id\":\"c%lld-%zu\",\"rev\":1,\"first_linkedid\":\"%.7f\",\"user_id\":%ld,\"state\":\"ringing\",\"direction\":\"in\","
                    "\"caller\":{\"number\":\"+79271390907\",\"display\":null,\"name\":\"Иванов Иван Петрович\",\"kind\":\"dealer\",\"id\":17,\"company\":\"ООО Ромашка\",\"restricted\":false,\"matches\":1,\"url\":null},"
                    "\"line\":{\"number\":\"+74950001001\",\"label\":\"рабочий\",\"queue\":null},\"ring_started_at\":%lld,\"answered_at\":null,\"ended_at\":null,\"end\":null,\"pbx\":\"main\",\"test\":false}",
                    sent == first ? "" : ",", ms, sent, began + (sent + 1) / rate, random() % total + 1, ms);
            n += sprintf(body + n, "]}");
            int size = sprintf(request, "POST /intake/v1 HTTP/1.1\r\nHost: notifier\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", argv[3], n, body);
            for (int done = 0, k; done < size; done += k) if ((k = write(intake, request + done, size - done)) < 0) die("intake write");
            busy = true;
        }
        pump(busy || rate == 0 ? 10 : 0, intake, &busy);
        if (!busy && rate > 0 && rate < 5000) { struct timespec nap = { 0, 20000 }; nanosleep(&nap, NULL); }
    }
    double cpu3 = cpu_of(pid);
    qsort(latency, delivered, sizeof *latency, by_size);
    printf("{\"connected\": %d, \"lost_connections\": %d, \"connect_seconds\": %.3f, \"connect_cpu_us\": %.0f, \"kib_per_connection\": %.2f, "
           "\"sent\": %zu, \"delivered\": %zu, \"wrong_user\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f, \"cpu_percent\": %.1f}\n",
           ready, gone, connected, (cpu1 - cpu0) * 1e6 / total, (double)(rss1 - rss0) / total, sent, delivered, wrong,
           at_rank(0.5), at_rank(0.99), at_rank(0.999), at_rank(1), 100 * (cpu3 - cpu2) / (seconds + 0.2));
    return gone || wrong || delivered != sent;
}
