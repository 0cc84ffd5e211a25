// The wall clock as a process sees it, SKEW_SECONDS wrong: preloaded, for tests. librdkafka keeps the true one, since
// it waits until instants of it on condition variables, which know no other (libfaketime makes these waits last as long
// as the clock is wrong, or not at all). System calls of our own, because allocators ask for the time while they start.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long skew(const void* caller) {
  Dl_info info;
  const char* seconds = getenv("SKEW_SECONDS");
  if (seconds == NULL || (dladdr(caller, &info) != 0 && strstr(info.dli_fname, "librdkafka") != NULL)) return 0;
  return atol(seconds);
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  const int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    now->tv_sec += skew(__builtin_return_address(0));
  return result;
}

int gettimeofday(struct timeval* restrict now, void* restrict zone) {
  const int result = (int)syscall(SYS_gettimeofday, now, zone);
  if (result == 0) now->tv_sec += skew(__builtin_return_address(0));
  return result;
}

time_t time(time_t* into) {
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  now.tv_sec += skew(__builtin_return_address(0));
  if (into != NULL) *into = now.tv_sec;
  return now.tv_sec;
}
