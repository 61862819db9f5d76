/* agi_load: plays Asterisk towards a FastAGI server and measures how long it holds each call. One thread, epoll.
 *
 * A session is one AGI(agi://...) step of res_agi.c: connect, write the request line by line (one write each, no
 * TCP_NODELAY), answer each command, and when the server closes, send HANGUP and close too.
 *
 * agi_load -p PORT -e COMMANDS [-P SERVER_PID] [-o OPTIONS] -c CONCURRENT -n SESSIONS   closed loop, time from connect()
 * agi_load -p PORT -e COMMANDS [-P SERVER_PID] [-o OPTIONS] -r RATE -n SESSIONS         open loop, time from the SCHEDULED
 *                                start, so a server that stalls cannot hide it
 * The first tenth of the sessions is not measured. Prints one JSON object; exit 1 if any session went wrong.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAX_OPEN 4096
#define TIMEOUT_S 5

struct call { int fd, connecting, commands, open; uint64_t began; };

static struct call calls[MAX_OPEN];
static int spare[MAX_OPEN], spares;
static int poller, port = 4573, expected = 2, concurrent = 1;
static long wanted = 2000, started, ended, wrong, measured;
static const char *options = "name";
static uint64_t *took;
static clockid_t server_clock;
static uint64_t cpu_before, wall_before;
static int server_pid;

static uint64_t ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) { perror(what); exit(2); }

static int send_line(int fd, const char *line) { size_t n = strlen(line); return send(fd, line, n, MSG_NOSIGNAL) == (ssize_t)n ? 0 : -1; }

static int send_request(int fd, long number)
{
	char line[25][160];
	long caller = 79271390000 + number % 1000;
	int n = 0, bad = 0;
#define LINE(...) snprintf(line[n++], sizeof line[0], __VA_ARGS__)
	LINE("agi_network: yes\n"); LINE("agi_network_script: announce\n"); LINE("agi_request: agi://127.0.0.1:%d/announce\n", port);
	LINE("agi_channel: PJSIP/trunk-%08lx\n", number); LINE("agi_language: ru\n"); LINE("agi_type: PJSIP\n");
	LINE("agi_uniqueid: 1760000000.%ld\n", number); LINE("agi_version: 22.10.0\n"); LINE("agi_callerid: %ld\n", caller);
	LINE("agi_calleridname: \u0418\u0432\u0430\u043d\u043e\u0432\n"); LINE("agi_callingpres: 0\n"); LINE("agi_callingani2: 0\n");
	LINE("agi_callington: 0\n"); LINE("agi_callingtns: 0\n"); LINE("agi_dnid: 84951234567\n"); LINE("agi_rdnis: unknown\n");
	LINE("agi_context: zvonok\n"); LINE("agi_extension: s\n"); LINE("agi_priority: 3\n"); LINE("agi_enhanced: 0.0\n");
	LINE("agi_accountcode: \n"); LINE("agi_threadid: 140213374113536\n");
	LINE("agi_arg_1: 84951234567\n"); LINE("agi_arg_2: 1760000000.%ld\n", number); LINE("agi_arg_3: %s\n", options);
	for (int i = 0; i < n; i++) bad |= send_line(fd, line[i]);
	return bad | send_line(fd, "\n");
}

static void watch(int fd, int i, uint32_t events, int op)
{
	struct epoll_event event = {.events = events, .data.u32 = (uint32_t)i};
	if (epoll_ctl(poller, op, fd, &event)) fail("epoll_ctl");
}

static void start(uint64_t scheduled)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (!spares) { fprintf(stderr, "agi_load: %d sessions open and none ends\n", MAX_OPEN); exit(2); }
	if (started == wanted / 10) { wall_before = ns(CLOCK_MONOTONIC); cpu_before = server_pid ? ns(server_clock) : 0; }
	int i = spare[--spares];
	struct call *c = &calls[i];
	*c = (struct call){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .connecting = 1, .open = 1, .began = scheduled};
	if (c->fd < 0) fail("socket");
	if (connect(c->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) fail("connect");
	watch(c->fd, i, EPOLLOUT, EPOLL_CTL_ADD);
	started++;
}

static void end(struct call *c, int good)
{
	uint64_t now = ns(CLOCK_MONOTONIC);
	if (good && send_line(c->fd, "HANGUP\n") && errno != EPIPE && errno != ECONNRESET) good = 0;
	close(c->fd);
	c->open = 0;
	spare[spares++] = (int)(c - calls);
	if (!good || c->commands != expected) wrong++;
	else if (ended >= wanted / 10) took[measured++] = now - c->began;
	ended++;
}

static void on_event(struct call *c)
{
	char data[4096];
	if (c->connecting) {
		int error = 0; socklen_t size = sizeof error;
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		c->connecting = 0;
		if (error || send_request(c->fd, started)) { end(c, 0); return; }
		watch(c->fd, (int)(c - calls), EPOLLIN, EPOLL_CTL_MOD);
		return;
	}
	ssize_t n = recv(c->fd, data, sizeof data, 0);
	if (n < 0) { if (errno != EAGAIN) end(c, 0); return; }
	if (n == 0) { end(c, 1); return; }
	for (ssize_t i = 0; i < n; i++)
		if (data[i] == '\n') { c->commands++; if (send_line(c->fd, "200 result=1\n")) { end(c, 0); return; } }
}

static int by_size(const void *a, const void *b) { uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b; return (x > y) - (x < y); }
static double us(double share) { return measured ? (double)took[(long)(share * (double)(measured - 1))] / 1000 : 0; }

int main(int argc, char **argv)
{
	double rate = 0;
	for (int o; (o = getopt(argc, argv, "p:e:P:c:r:n:o:")) != -1;) switch (o) {
		case 'p': port = atoi(optarg); break;
		case 'e': expected = atoi(optarg); break;
		case 'P': server_pid = atoi(optarg); break;
		case 'c': concurrent = atoi(optarg); break;
		case 'r': rate = atof(optarg); break;
		case 'n': wanted = atol(optarg); break;
		case 'o': options = optarg; break;
		default: fprintf(stderr, "usage: see the head of agi_load.c\n"); return 2;
	}
	if (server_pid && clock_getcpuclockid(server_pid, &server_clock)) fail("the server's CPU clock");
	if (!(took = malloc(sizeof *took * (size_t)wanted))) fail("malloc");
	for (int i = MAX_OPEN; i--;) spare[spares++] = i;
	poller = epoll_create1(0);

	/* The open loop wakes by a timer: epoll_wait counts whole milliseconds only. */
	uint64_t period = rate > 0 ? (uint64_t)(1e9 / rate) : 0, next = ns(CLOCK_MONOTONIC);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	if (period) {
		struct itimerspec every = {{0, (long)period}, {0, 1}};
		timerfd_settime(timer, 0, &every, 0);
		watch(timer, MAX_OPEN, EPOLLIN, EPOLL_CTL_ADD);
	}
	struct epoll_event events[256];
	uint64_t last_end = ns(CLOCK_MONOTONIC); long ended_then = 0;
	while (ended < wanted) {
		uint64_t now = ns(CLOCK_MONOTONIC);
		if (ended != ended_then) { ended_then = ended; last_end = now; }
		if (now - last_end > TIMEOUT_S * 1000000000ull) { fprintf(stderr, "agi_load: no session ended for %d s\n", TIMEOUT_S); return 2; }
		if (period) for (; started < wanted && next <= now; next += period) start(next);
		else while (started < wanted && started - ended < concurrent) start(ns(CLOCK_MONOTONIC));
		int n = epoll_wait(poller, events, 256, 100);
		for (int i = 0; i < n; i++) {
			if (events[i].data.u32 == MAX_OPEN) { uint64_t ticks; if (read(timer, &ticks, sizeof ticks) < 0) continue; }
			else if (calls[events[i].data.u32].open) on_event(&calls[events[i].data.u32]);
		}
	}
	double seconds = (double)(ns(CLOCK_MONOTONIC) - wall_before) / 1e9, cpu = server_pid ? (double)(ns(server_clock) - cpu_before) / 1e3 : 0;
	qsort(took, (size_t)measured, sizeof *took, by_size);
	printf("{\"sessions\":%ld,\"wrong\":%ld,\"per_s\":%.0f,\"p50\":%.1f,\"p95\":%.1f,\"p99\":%.1f,\"cpu\":%.2f}\n", measured, wrong,
	       (double)measured / seconds, us(.5), us(.95), us(.99), measured ? cpu / (double)measured : 0);
	return wrong != 0;
}
