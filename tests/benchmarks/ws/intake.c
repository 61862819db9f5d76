/* The tap of a crowd (crowd.c): states into the notifier's intake at `port`, one POST in flight, as its contract asks. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "feed.h"

int feed_fd;
static bool busy;
static const char *bearer;
static long long run_ms;
static double opened_at;

void feed_open(int port, const char *secret) {
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timespec wall; clock_gettime(CLOCK_REALTIME, &wall);
    run_ms = wall.tv_sec * 1000LL + wall.tv_nsec / 1000000; opened_at = now(); bearer = secret;
    feed_fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(feed_fd, (struct sockaddr *)&at, sizeof at)) die("intake");
    int one = 1; setsockopt(feed_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}
void feed_read(void) {
    char answer[65536]; ssize_t got = read(feed_fd, answer, sizeof answer - 1); if (got <= 0) die("intake");
    answer[got] = 0;
    if (memcmp(answer, "HTTP/1.1 200", 12)) { fprintf(stderr, "intake: %s\n", answer); exit(1); }
    busy = false;
}
size_t feed_calls(size_t first, size_t due) {
    static char body[1 << 20], request[1 << 20 | 1024]; static long seq; static double posted; size_t call = first;
    if (busy || (due <= first && now() < posted + 1)) return 0;  /* an empty batch a second keeps the connection */
    posted = now();
    int n = sprintf(body, "{\"pbx\":\"main\",\"run\":%lld,\"seq\":%ld,\"now\":%lld,\"live\":null,\"calls\":[", run_ms, ++seq, run_ms + (long long)((now() - opened_at) * 1000));
    for (; call < due && call < first + 400; call++)
        n += sprintf(body + n, "%s{\"call_id\":\"c%lld-%zu\",\"rev\":1,\"first_linkedid\":\"%.7f\",\"user_id\":%d,\"state\":\"ringing\",\"direction\":\"in\","
            "\"caller\":{\"number\":\"+79271390907\",\"display\":null,\"name\":\"Иванов Иван Петрович\",\"kind\":\"dealer\",\"id\":17,\"company\":\"ООО Ромашка\",\"restricted\":false,\"matches\":1,\"url\":null},"
            "\"line\":{\"number\":\"+74950001001\",\"label\":\"рабочий\",\"queue\":null},\"ring_started_at\":%lld,\"answered_at\":null,\"ended_at\":null,\"end\":null,\"pbx\":\"main\",\"test\":false}",
            call == first ? "" : ",", run_ms, call, told_at(call), user_of(call), run_ms);
    n += sprintf(body + n, "]}");
    int size = sprintf(request, "POST /intake/v1 HTTP/1.1\r\nHost: notifier\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", bearer, n, body);
    for (int done = 0, k; done < size; done += k) if ((k = write(feed_fd, request + done, size - done)) < 0) die("intake write");
    busy = true;
    return call - first;
}
