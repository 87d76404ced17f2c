/* Preloaded into an agent: counts what it does to files below $FAULTY_UNDER, writes each act down in $FAULTY_LOG, and at
 * act number $FAULTY_AT either ends the process as a power cut would, or has the disk be full. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static const char *under, *mode;
static char log_path[4096];
static long at, count;

__attribute__((constructor)) static void begin(void) {
  const char *text = getenv("FAULTY_AT"), *log = getenv("FAULTY_LOG");
  under = getenv("FAULTY_UNDER");
  mode = getenv("FAULTY_MODE");
  at = text ? atol(text) : 0;
  if (log) snprintf(log_path, sizeof log_path, "%s", log);
  /* Its children have a disk without faults. */
  unsetenv("LD_PRELOAD");
}

static int is_below(const char *path) {
  return under && path && strncmp(path, under, strlen(under)) == 0;
}

static int fd_is_below(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return is_below(path);
}

/* 1: this act fails. */
static int act(const char *name) {
  count++;
  int fd = (int)((long (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open"))(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (fd >= 0) {
    char line[64];
    int length = snprintf(line, sizeof line, "%ld %s\n", count, name);
    ((ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write"))(fd, line, (size_t)length);
    close(fd);
  }
  if (count != at || !mode) return 0;
  if (strcmp(mode, "kill") == 0) kill(getpid(), SIGKILL);
  errno = ENOSPC;
  return strcmp(mode, "full") == 0;
}

#define REAL(name, type) ((type)dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t length) {
  if (fd_is_below(fd) && act("write")) return -1;
  return REAL(write, ssize_t(*)(int, const void *, size_t))(fd, bytes, length);
}

int fsync(int fd) {
  if (fd_is_below(fd) && act("fsync")) return -1;
  return REAL(fsync, int (*)(int))(fd);
}

int fchmod(int fd, mode_t wanted) {
  if (fd_is_below(fd) && act("fchmod")) return -1;
  return REAL(fchmod, int (*)(int, mode_t))(fd, wanted);
}

int ftruncate64(int fd, off64_t length) {
  if (fd_is_below(fd) && act("ftruncate")) return -1;
  return REAL(ftruncate64, int (*)(int, off64_t))(fd, length);
}

int rename(const char *from, const char *to) {
  if (is_below(to) && act("rename")) return -1;
  return REAL(rename, int (*)(const char *, const char *))(from, to);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags) {
  if (is_below(to) && act("link")) return -1;
  return REAL(linkat, int (*)(int, const char *, int, const char *, int))(from_fd, from, to_fd, to, flags);
}

int unlink(const char *path) {
  if (is_below(path) && act("unlink")) return -1;
  return REAL(unlink, int (*)(const char *))(path);
}

int open64(const char *path, int flags, ...) {
  mode_t wanted = 0;
  if (flags & O_CREAT) {
    va_list rest;
    va_start(rest, flags);
    wanted = (mode_t)va_arg(rest, int);
    va_end(rest);
    if (is_below(path) && act("create")) return -1;
  }
  return REAL(open64, int (*)(const char *, int, ...))(path, flags, wanted);
}
