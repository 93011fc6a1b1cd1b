// raw is the limit of the fan-out benchmark: one thread, epoll, one ready-made message written to every socket, what
// comes in read and thrown away. It answers each connection with the message once, and a POST to the second port with
// a new one for all: change k has "10.99.(k/256).(k%256):" in it, filled up to -size bytes like a real endpoint list.
// usage: raw PORT SIZE
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 2000000, DESCRIPTORS = 70000, FRAME = 16384 };
static const char URL[] = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
static const char OK[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
// SETTINGS with wide windows, WINDOW_UPDATE, SETTINGS ACK, HEADERS :status 200 of stream 1.
static const unsigned char HELLO[] = {0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff,
                                      0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0, 0, 0,
                                      0, 0, 0, 4, 1, 0, 0, 0, 0,
                                      0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88};
static unsigned char out[MOST];  // the message in DATA frames
static int length, changes = -1, size;
static int clients[DESCRIPTORS], count;
enum { NEW = 1, CLIENT, TRIGGER };
static char state[DESCRIPTORS];

static int put(unsigned char *at, int tag, const char *text, int n) {  // a field: tag, length, bytes
  int k = 0;
  at[k++] = tag << 3 | 2;
  for (unsigned v = n;; v >>= 7) {
    at[k++] = (v & 127) | (v > 127 ? 128 : 0);
    if (v < 128) break;
  }
  if (text) memcpy(at + k, text, n); else memset(at + k, 'x', n);
  return k + n;
}

static void build(void) {
  static unsigned char message[MOST];
  char mark[40], version[20];
  changes++;
  int n = 5, marked = sprintf(mark, "10.99.%d.%d:", changes >> 8, changes & 255);
  int numbered = sprintf(version, "%d", changes);
  n += put(message + n, 1, version, numbered);
  int rest = size - n - (int)sizeof URL - numbered - 10;
  int body = n;
  n += put(message + n, 2, NULL, rest > marked ? rest : marked);
  memcpy(message + body + 6, mark, marked);
  n += put(message + n, 4, URL, sizeof URL - 1);
  n += put(message + n, 5, version, numbered);
  unsigned inner = htonl(n - 5);
  memcpy(message + 1, &inner, 4);
  length = 0;
  for (int at = 0; at < n; at += FRAME) {
    int part = n - at > FRAME ? FRAME : n - at;
    unsigned char head[9] = {part >> 16, part >> 8, part, 0, 0, 0, 0, 0, 1};
    memcpy(out + length, head, 9);
    memcpy(out + length + 9, message + at, part);
    length += 9 + part;
  }
}

static void push(int fd, const void *bytes, int n) {
  for (const char *at = bytes; n > 0;) {
    ssize_t done = write(fd, at, n);
    if (done > 0) {
      at += done, n -= done;
    } else if (errno == EAGAIN) {
      struct pollfd ready = {fd, POLLOUT, 0};
      poll(&ready, 1, 1000);
    } else {
      return;  // gone: the next read says so
    }
  }
}

static int listening(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (void *)&at, sizeof at) || listen(fd, 4096)) {
    perror("bind");
    exit(1);
  }
  return fd;
}

static void forget(int fd) {
  for (int i = 0; i < count; i++)
    if (clients[i] == fd) {
      clients[i] = clients[--count];
      break;
    }
  close(fd);
}

int main(int argc, char **argv) {
  int port = argc > 1 ? atoi(argv[1]) : 18000, on = 1;
  size = argc > 2 ? atoi(argv[2]) : 5000;
  build();
  int door = listening(port), trigger = listening(port + 1), poller = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = door}, events[1024];
  epoll_ctl(poller, EPOLL_CTL_ADD, door, &event);
  event.data.fd = trigger;
  epoll_ctl(poller, EPOLL_CTL_ADD, trigger, &event);
  static char in[1 << 20];
  for (;;) {
    int n = epoll_wait(poller, events, 1024, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd == door || fd == trigger) {
        for (int one; (one = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
          setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          state[one] = fd == door ? NEW : TRIGGER;
          event.data.fd = one;
          epoll_ctl(poller, EPOLL_CTL_ADD, one, &event);
        }
        continue;
      }
      ssize_t got = read(fd, in, sizeof in);
      if (got < 0 && errno == EAGAIN) continue;
      if (got <= 0) {
        forget(fd);
      } else if (state[fd] == TRIGGER) {
        build();
        for (int k = 0; k < count; k++) push(clients[k], out, length);
        push(fd, OK, sizeof OK - 1);
      } else if (state[fd] == NEW) {
        state[fd] = CLIENT;
        clients[count++] = fd;
        push(fd, HELLO, sizeof HELLO);
        push(fd, out, length);
      }
    }
  }
}
