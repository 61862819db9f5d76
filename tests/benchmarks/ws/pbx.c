/* The Asterisk of a crowd (crowd.c): an AMI server on `port` for one tap. Each call is an outside caller who dials user
 * n's phone (its endpoint is 10000+n), which rings for 3 s until he hangs up; words and headers are those of Asterisk 22.
 * It answers what a tap asks: Login, CoreStatus, Ping, and the lists, with the calls that live. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "feed.h"

#define RING_S 3.0
int feed_fd;
static char out[1 << 22], in[1 << 16]; static size_t n, have, told, over;

static void put(const char *format, ...) {
    va_list arguments; va_start(arguments, format);
    n += vsnprintf(out + n, sizeof out - n, format, arguments); va_end(arguments);
    if (n >= sizeof out) { fputs("pbx: too many calls at once\n", stderr); exit(1); }
}
static void flush(void) {
    for (size_t done = 0; done < n;) { ssize_t k = send(feed_fd, out + done, n - done, MSG_NOSIGNAL); if (k < 0) die("the tap"); done += k; }
    n = 0;
}
/* A channel's snapshot: the caller (leg 0) or the phone that he calls (leg 1). */
static void channel(const char *prefix, size_t call, int leg, int state) {
    static const char *words[] = { "Down", 0, 0, 0, "Ring", "Ringing", "Up" };
    long outside = 79270000000 + call % 5000; int phone = 10000 + user_of(call); char number[32], connected[32];
    if (leg) snprintf(number, sizeof number, "%d", phone); else snprintf(number, sizeof number, "%ld", outside);
    if (leg) snprintf(connected, sizeof connected, "%ld", outside); else snprintf(connected, sizeof connected, "<unknown>");
    put("%sChannel: PJSIP/", prefix);
    if (leg) put("%d-%08zx\r\n", phone, call * 2 + 1); else put("trunk-%08zx\r\n", call * 2);
    put("%sChannelState: %d\r\n%sChannelStateDesc: %s\r\n%sCallerIDNum: %s\r\n%sCallerIDName: <unknown>\r\n"
        "%sConnectedLineNum: %s\r\n%sConnectedLineName: <unknown>\r\n%sLanguage: ru\r\n%sAccountCode: \r\n%sContext: from-trunk\r\n"
        "%sExten: %s\r\n%sPriority: 1\r\n", prefix, state, prefix, words[state], prefix, number, prefix, prefix, connected, prefix, prefix, prefix, prefix,
        prefix, leg ? "" : "s", prefix);
    /* A uniqueid is a time to Asterisk, too; the phone's differs in its last digit. */
    if (leg) put("%sUniqueid: %.7f9\r\n", prefix, told_at(call)); else put("%sUniqueid: %.7f\r\n", prefix, told_at(call));
    put("%sLinkedid: %.7f\r\n", prefix, told_at(call));
}
static void event(const char *name) { put("Event: %s\r\nPrivilege: call,all\r\n", name); }
static void begins(size_t call) {
    event("Newchannel"); channel("", call, 0, 4); put("\r\n");
    event("Newchannel"); channel("", call, 1, 0); put("\r\n");
    event("DialBegin"); channel("", call, 0, 4); channel("Dest", call, 1, 0); put("DialString: %d\r\n\r\n", 10000 + user_of(call));
    event("Newstate"); channel("", call, 1, 5); put("\r\n");
}
static void ends(size_t call) {
    event("Hangup"); channel("", call, 1, 5); put("Cause: 0\r\nCause-txt: Unknown\r\n\r\n");
    event("DialEnd"); channel("", call, 0, 4); channel("Dest", call, 1, 5); put("DialStatus: CANCEL\r\n\r\n");
    event("Hangup"); channel("", call, 0, 4); put("Cause: 127\r\nCause-txt: Interworking, unspecified\r\n\r\n");
}
static void answer(const char *action, const char *id) {
    put("Response: Success\r\nActionID: %s\r\n", id);
    if (!strcmp(action, "CoreShowChannels") || !strcmp(action, "Status")) {
        put("EventList: start\r\nMessage: will follow\r\n\r\n");
        if (*action == 'C') for (size_t call = over; call < told; call++) for (int leg = 0; leg < 2; leg++) {
            put("Event: CoreShowChannel\r\nActionID: %s\r\n", id); channel("", call, leg, leg ? 5 : 4);
            put("Application: %s\r\nDuration: 00:00:01\r\nBridgeId: \r\n\r\n", leg ? "AppDial" : "Dial");
        }
        put("Event: %sComplete\r\nActionID: %s\r\nEventList: Complete\r\n\r\n", action, id);
    } else if (!strcmp(action, "CoreStatus")) put("CoreStartupDate: 2026-01-01\r\nCoreStartupTime: 00:00:00\r\n\r\n");
    else put("Message: done\r\n\r\n");
    flush();
}
void feed_open(int port, const char *secret) {
    (void)secret;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1)) die("pbx");
    if ((feed_fd = accept(listener, NULL, NULL)) < 0) die("pbx");
    close(listener);
    setsockopt(feed_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    put("Asterisk Call Manager/11.0.0\r\n"); flush();
}
void feed_read(void) {
    ssize_t got = read(feed_fd, in + have, sizeof in - 1 - have); if (got <= 0) die("the tap left");
    in[have += got] = 0;
    for (char *end; (end = strstr(in, "\r\n\r\n"));) {
        char action[32] = "", id[128] = "", *at; *end = 0;
        if ((at = strstr(in, "Action: "))) sscanf(at + 8, "%31[A-Za-z]", action);
        if ((at = strstr(in, "ActionID: "))) sscanf(at + 10, "%127[^\r\n]", id);
        answer(action, id);
        have -= end + 4 - in; memmove(in, end + 4, have + 1);
    }
}
size_t feed_calls(size_t first, size_t due) {
    for (told = first; told < due; told++) begins(told);
    for (; over < told && told_at(over) + RING_S <= now(); over++) ends(over);
    if (n) flush();
    return told - first;
}
