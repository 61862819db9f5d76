/* Who tells of calls: intake.c or pbx.c. The n-th call belongs to user_of(n), and was meant to be told at told_at(n). */
#include <stddef.h>

extern int feed_fd; /* when it is readable, feed_read() is called */

void feed_open(int port, const char *secret);
void feed_read(void);
size_t feed_calls(size_t first, size_t due); /* tells of the calls from `first` to below `due`, as many as it can now */

double now(void); /* monotonic seconds */
void die(const char *what);
double told_at(size_t call);
int user_of(size_t call);
