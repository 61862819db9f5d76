/* agi_floor PORT: the least a FastAGI server can do. One thread, epoll, no allocation: finds each line of the request,
 * remembers the caller, sends the two commands that `announce` with the option `name` sends, reads the replies, closes. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_OPEN 8192
struct call { int step; size_t used, seen; char caller[64], data[4096]; };
static struct call calls[MAX_OPEN];

static int send_line(int fd, const char *line) { size_t n = strlen(line); return send(fd, line, n, MSG_NOSIGNAL) == (ssize_t)n ? 0 : -1; }

/* 0: goes on; -1: done, or broken */
static int on_line(int fd, struct call *c, char *line)
{
	char command[160];
	if (c->step == 0) {
		char *value = strstr(line, ": ");
		if (value) { *value = 0; if (!strcmp(line, "agi_callerid")) snprintf(c->caller, sizeof c->caller, "%s", value + 2); }
		if (*line) return 0;
		c->step = 1;
		snprintf(command, sizeof command, "SET VARIABLE \"CALLERID(name)\" \"\u0418\u0432\u0430\u043d\u043e\u0432 \u0418. (%s)\"\n", c->caller);
		return send_line(fd, command);
	}
	if (strncmp(line, "200 result=", 11)) return -1;
	return c->step++ == 1 ? send_line(fd, "SET VARIABLE \"ZVONOK_STATUS\" \"OK\"\n") : -1;
}

int main(int argc, char **argv)
{
	int one = 1, poller = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "4573")), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096)) { perror("agi_floor"); return 2; }
	struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
	epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int n = epoll_wait(poller, events, 256, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == listener) {
				while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
					if (fd >= MAX_OPEN) { close(fd); continue; }
					calls[fd].step = 0; calls[fd].used = calls[fd].seen = 0;
					event.data.fd = fd;
					epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
				}
				continue;
			}
			struct call *c = &calls[fd];
			ssize_t got = recv(fd, c->data + c->used, sizeof c->data - c->used, 0);
			int done = got == 0 || (got < 0 && errno != EAGAIN);
			if (got > 0) c->used += (size_t)got;
			for (char *end; !done && (end = memchr(c->data + c->seen, '\n', c->used - c->seen));) {
				char *line = c->data + c->seen;
				*end = 0;
				c->seen = (size_t)(end - c->data) + 1;
				done = on_line(fd, c, line);
			}
			if (done || c->used == sizeof c->data) close(fd);
		}
	}
}
