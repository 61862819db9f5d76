/* ami_flood PORT FILE: an AMI server that lets anybody in and then writes FILE as fast as the client takes it.
 *
 * One client after another. For each, when it has closed, a line of JSON: `seconds` from the answered login to its
 * closing, and `blocked_ms`, the longest that its socket took nothing: Asterisk drops a manager at 100 ms. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
static void die(const char *what) { perror(what); exit(2); }

/* Reads the login, and answers it with its ActionID. 0 if there was none. */
static int let_in(int fd)
{
	char action[4096], answer[512], *id, *end;
	size_t have = 0;
	ssize_t got;
	while ((got = recv(fd, action + have, sizeof action - 1 - have, 0)) > 0) {
		action[have += (size_t)got] = 0;
		if (strstr(action, "\r\n\r\n")) break;
	}
	if (got <= 0) return 0;
	if ((id = strcasestr(action, "ActionID: ")) && (end = strstr(id, "\r\n"))) *end = 0;
	int n = snprintf(answer, sizeof answer, "Response: Success\r\n%s%.200s%sMessage: Authentication accepted\r\n\r\n",
			 id ? "ActionID: " : "", id ? id + 10 : "", id ? "\r\n" : "");
	return send(fd, answer, (size_t)n, MSG_NOSIGNAL) == n;
}

static void serve(int fd, const char *data, size_t size)
{
	static const char banner[] = "Asterisk Call Manager/11.0.0\r\n";
	if (send(fd, banner, sizeof banner - 1, MSG_NOSIGNAL) < 0 || !let_in(fd)) return;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	double began = now(), blocked = 0;
	for (size_t sent = 0; sent < size;) {
		ssize_t n = send(fd, data + sent, size - sent < 16384 ? size - sent : 16384, MSG_NOSIGNAL);
		if (n > 0) { sent += (size_t)n; continue; }
		struct pollfd writable = {.fd = fd, .events = POLLOUT};
		double from = now();
		if (poll(&writable, 1, 60000) <= 0 || writable.revents & (POLLERR | POLLHUP)) return;
		if (now() - from > blocked) blocked = now() - from;
	}
	fcntl(fd, F_SETFL, 0);
	char rest[4096];
	while (recv(fd, rest, sizeof rest, 0) > 0) { }
	printf("{\"seconds\": %.6f, \"blocked_ms\": %.3f}\n", now() - began, blocked * 1000);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc != 3) { fputs("usage: ami_flood PORT FILE\n", stderr); return 2; }
	int file = open(argv[2], O_RDONLY), one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
	struct stat about;
	if (file < 0 || fstat(file, &about)) die(argv[2]);
	const char *data = mmap(0, (size_t)about.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
	if (data == MAP_FAILED) die("mmap");
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 8)) die("ami_flood");
	for (;;) {
		int fd = accept(listener, 0, 0);
		if (fd < 0) die("accept");
		serve(fd, data, (size_t)about.st_size);
		close(fd);
	}
}
