/*
 * crowd - many logged-in browsers, and who tells of calls, against a running Zvonok (epoll, one thread, libc only).
 *
 *   cc -O2 -Wall -o crowd crowd.c intake.c    plays the tap: states into the notifier's intake
 *   cc -O2 -Wall -o crowd crowd.c pbx.c       plays Asterisk: AMI events to the tap
 *   crowd -u HOST:PORT -f FEED_PORT -s SECRET -t TOKENS -n CONNS -a AT_ONCE -r RATE -d SECONDS -p PID[,PID]
 *         [-w PATIENCE]
 *
 * Opens CONNS WebSockets, AT_ONCE handshakes in flight; the n-th logs in with the n-th line of the file TOKENS, whose
 * user is n. After PATIENCE seconds (120), or when all are in, it tells of RATE calls a second for SECONDS, each of a
 * random user. Each call's linkedid is the time at which it was meant to be told, so what is told late counts as latency
 * (no coordinated omission). Pings are answered. One line of JSON at the end; the memory of the first PID and the CPU of
 * each are from /proc.
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
#include "feed.h"

enum { IDLE, CONNECTING, UPGRADING, GREETING, READY, GONE };
struct conn { int fd, state; size_t have; char *rest; };

static struct conn *conns;
static char **tokens;
static int total, opened, ready, gone, inflight, at_once, ep;
static struct sockaddr_in users_at;
static double *latency, began, rate;
static size_t delivered, count, wrong;
static bool *seen;

double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
void die(const char *what) { perror(what); exit(1); }
double told_at(size_t call) { return began + (double)(call + 1) / rate; }
int user_of(size_t call) { return (int)((call * 2654435761u >> 7) % (unsigned)total) + 1; }

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
    if (!memmem(text, size, "\"state\":\"ringing\"", 17)) return;
    char *at = memmem(text, size, "\"first_linkedid\":\"", 18), *user = memmem(text, size, "\"user_id\":", 10);
    if (!at || !user || atoi(user + 10) != c - conns + 1) { wrong++; return; }
    double told = strtod(at + 18, NULL);
    size_t call = (size_t)((told - began) * rate - 0.5);
    if (call >= count || seen[call]) return;  /* rung already: only the caller's name is new */
    seen[call] = true;
    latency[delivered++] = now() - told;
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
static void pump(int milliseconds) {
    struct epoll_event events[512];
    int n = epoll_wait(ep, events, 512, milliseconds);
    for (int i = 0; i < n; i++) {
        if (events[i].data.u32 == UINT32_MAX) feed_read();
        else on_event(&conns[events[i].data.u32], events[i].events);
    }
}
static int by_size(const void *a, const void *b) { double x = *(double *)a, y = *(double *)b; return (x > y) - (x < y); }
static double at_rank(double rank) { return delivered ? 1000 * latency[(size_t)(rank * (delivered - 1))] : -1; }

int main(int argc, char **argv) {
    char *users = NULL, *token_file = NULL, *feed_port = "0", *secret = ""; double seconds = 0, patience = 120; int pids[4], watched = 0;
    for (int o; (o = getopt(argc, argv, "u:f:s:t:n:a:r:d:w:p:")) != -1;) switch (o) {
        case 'u': users = optarg; break;
        case 'f': feed_port = optarg; break;
        case 's': secret = optarg; break;
        case 't': token_file = optarg; break;
        case 'n': total = atoi(optarg); break;
        case 'a': at_once = atoi(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 'd': seconds = atof(optarg); break;
        case 'w': patience = atof(optarg); break;
        case 'p': for (char *p = strtok(optarg, ","); p && watched < 4; p = strtok(NULL, ",")) pids[watched++] = atoi(p); break;
        default: fputs("usage: see the head of crowd.c\n", stderr); return 2;
    }
    char *colon = users ? strchr(users, ':') : NULL;
    if (!colon || !token_file || !watched || total <= 0) { fputs("usage: see the head of crowd.c\n", stderr); return 2; }
    *colon = 0;
    users_at.sin_family = AF_INET; users_at.sin_port = htons(atoi(colon + 1)); inet_pton(AF_INET, users, &users_at.sin_addr);
    struct rlimit files; getrlimit(RLIMIT_NOFILE, &files); files.rlim_cur = files.rlim_max; setrlimit(RLIMIT_NOFILE, &files);
    conns = calloc(total, sizeof *conns); tokens = calloc(total, sizeof *tokens);
    FILE *f = fopen(token_file, "r"); if (!f) die(token_file);
    for (int i = 0; i < total; i++) { char line[4096]; if (!fgets(line, sizeof line, f)) die("tokens"); line[strcspn(line, "\n")] = 0; tokens[i] = strdup(line); }
    ep = epoll_create1(0);
    feed_open(atoi(feed_port), secret);
    struct epoll_event e = { .events = EPOLLIN, .data.u32 = UINT32_MAX }; epoll_ctl(ep, EPOLL_CTL_ADD, feed_fd, &e);

    long rss0 = rss_of(pids[0]); double cpu0 = cpu_of(pids[0]), start = now();
    open_next();
    while (ready + gone < total && now() - start < patience) { feed_calls(0, 0); pump(100); }
    double connected = now() - start, cpu1 = cpu_of(pids[0]);
    for (double until = now() + (rate > 0 && total >= 1000 ? 3 : 0.2); now() < until;) { feed_calls(0, 0); pump(50); }
    long rss1 = rss_of(pids[0]);

    count = (size_t)(rate * seconds); latency = calloc(count + 1, sizeof *latency); seen = calloc(count + 1, sizeof *seen);
    double used[4] = {0}; for (int i = 0; i < watched; i++) used[i] = cpu_of(pids[i]);
    size_t sent = 0;
    began = now() + 0.1;
    double ended = began + seconds;
    while (now() < ended + 1 && (delivered + wrong < count || now() < ended)) {
        double t = now(); size_t due = t < began ? 0 : (size_t)((t - began) * rate);
        sent += feed_calls(sent, due < count ? due : count);
        pump(rate == 0 ? 10 : 0);
        if (rate > 0 && rate < 5000) { struct timespec nap = { 0, 20000 }; nanosleep(&nap, NULL); }
    }
    for (int i = 0; i < watched; i++) used[i] = cpu_of(pids[i]) - used[i];
    qsort(latency, delivered, sizeof *latency, by_size);
    printf("{\"connected\": %d, \"lost_connections\": %d, \"connect_seconds\": %.3f, \"connect_cpu_us\": %.0f, \"kib_per_connection\": %.2f, "
           "\"sent\": %zu, \"delivered\": %zu, \"wrong_user\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f, \"seconds\": %.1f, \"cpu_seconds\": [",
           ready, gone, connected, (cpu1 - cpu0) * 1e6 / total, (double)(rss1 - rss0) / total, sent, delivered, wrong,
           at_rank(0.5), at_rank(0.99), at_rank(0.999), at_rank(1), seconds + 0.1);
    for (int i = 0; i < watched; i++) printf("%s%.2f", i ? ", " : "", used[i]);
    puts("]}");
    return gone || wrong || delivered != sent;
}
