/* ami_floor PORT: the least an AMI reader can do: log in, cut the stream into blocks, read each event's name, and stop
 * at the one whose Uniqueid is `end`. Prints its CPU seconds and the number of events. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double cpu(void) { struct timespec t; clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); return t.tv_sec + t.tv_nsec / 1e9; }

int main(int argc, char **argv)
{
	static const char login[] = "Action: Login\r\nActionID: 1\r\nUsername: a\r\nSecret: b\r\n\r\n";
	static char data[1 << 18];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "5038")), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	double began = cpu();
	if (connect(fd, (struct sockaddr *)&to, sizeof to) || send(fd, login, sizeof login - 1, 0) < 0) { perror("ami_floor"); return 2; }
	size_t have = 0;
	long events = 0, dials = 0;
	for (ssize_t got; (got = recv(fd, data + have, sizeof data - have, 0)) > 0;) {
		char *at = data, *end, *stop = data + (have += (size_t)got);
		while ((end = memmem(at, (size_t)(stop - at), "\r\n\r\n", 4))) {
			if (!memcmp(at, "Event: ", 7)) {
				events++;
				if (!memcmp(at + 7, "DialBegin\r\n", 11)) dials++;
				if (!memcmp(at + 7, "Hangup\r\n", 8) && memmem(at, (size_t)(end - at), "\r\nUniqueid: end", 15)) {
					printf("{\"cpu\": %.6f, \"events\": %ld, \"dials\": %ld}\n", cpu() - began, events, dials);
					return 0;
				}
			}
			at = end + 4;
		}
		memmove(data, at, have = (size_t)(stop - at));
	}
	return 1;
}
