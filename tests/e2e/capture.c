/* What is on the wire: runs a command in a network namespace of its own, captures everything that crosses its
 * loopback, and checks that every TCP byte belongs to a well-formed TLS record, that each connection
 * negotiated TLS 1.3, and that nothing else was sent. Prints, for each direction of each connection, the
 * sizes of its encrypted records, sorted so that two runs of one program can be compared line by line; with
 * --after SIZE only those behind the first record of that size.
 *
 *   capture [--after SIZE] COMMAND [ARG...]     exit 0; 1: something else than TLS 1.3; 77: not permitted
 * here (needs root); else the command's
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

enum { MAX_FLOWS = 1024, SKIP = 77 };

/* One direction of one connection. */
typedef struct Flow {
  uint16_t from, to;
  uint32_t start; /* sequence number of the first byte */
  bool started;
  uint8_t *data;
  size_t length; /* contiguous from the start */
  size_t capacity;
} Flow;

static Flow flows[MAX_FLOWS];
static int flow_count;
static long other_packets;
static size_t after; /* 0: all */

static int skip(const char *what) {
  printf("SKIPPED: %s: %s (root is needed to capture)\n", what, strerror(errno));
  return SKIP;
}

static bool loopback_up(void) {
  int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq r = {.ifr_name = "lo"};
  bool ok = s >= 0 && ioctl(s, SIOCGIFFLAGS, &r) == 0;
  r.ifr_flags |= IFF_UP;
  ok = ok && ioctl(s, SIOCSIFFLAGS, &r) == 0;
  close(s);
  return ok;
}

static Flow *flow_of(uint16_t from, uint16_t to) {
  for (int i = flow_count - 1; i >= 0; i--)
    if (flows[i].from == from && flows[i].to == to)
      return &flows[i];
  if (flow_count == MAX_FLOWS)
    return NULL;
  flows[flow_count] = (Flow){.from = from, .to = to};
  return &flows[flow_count++];
}

static void append(Flow *f, uint32_t sequence, const uint8_t *data, size_t n) {
  size_t at = sequence - f->start;
  if (at > f->length) {
    fprintf(stderr, "capture: %zu bytes of %u -> %u were not captured\n", at - f->length, f->from, f->to);
    exit(1);
  }
  if (at + n <= f->length)
    return; /* sent again */
  if (at + n > f->capacity) {
    f->capacity = 2 * (at + n);
    f->data = realloc(f->data, f->capacity);
    if (!f->data)
      abort();
  }
  memcpy(f->data + at, data, n);
  f->length = at + n;
}

static void packet(const uint8_t *p, size_t n) {
  if (n < 20 || p[0] >> 4 != 4 || p[9] != IPPROTO_TCP) {
    other_packets++;
    return;
  }
  size_t ip = 4 * (size_t)(p[0] & 15), total = (size_t)p[2] << 8 | p[3];
  if (total == 0 || total > n) /* segmentation offload leaves the length open */
    total = n;
  const uint8_t *t = p + ip;
  size_t header = 4 * (size_t)(t[12] >> 4);
  if (ip + header > total)
    return;
  Flow *f = flow_of((uint16_t)(t[0] << 8 | t[1]), (uint16_t)(t[2] << 8 | t[3]));
  uint32_t sequence = (uint32_t)t[4] << 24 | (uint32_t)t[5] << 16 | (uint32_t)t[6] << 8 | t[7];
  if (!f)
    return;
  if (t[13] & 2) { /* SYN */
    f->start = sequence + 1;
    f->started = true;
  }
  size_t payload = total - ip - header;
  if (payload > 0 && f->started)
    append(f, sequence, t + header, payload);
}

static void capture(int s, int timeout_ms) {
  static uint8_t buffer[1 << 17];
  struct pollfd p = {.fd = s, .events = POLLIN};
  while (poll(&p, 1, timeout_ms) > 0) {
    struct sockaddr_ll from;
    socklen_t size = sizeof from;
    ssize_t n = recvfrom(s, buffer, sizeof buffer, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
    if (n > 14 && from.sll_pkttype == PACKET_OUTGOING && ntohs(from.sll_protocol) == ETH_P_IP)
      packet(buffer + 14, (size_t)n - 14);
    else if (n > 14 && from.sll_pkttype == PACKET_OUTGOING)
      other_packets++;
  }
}

/* ---- judging --------------------------------------------------------------------------------------- */

/* supported_versions of a ServerHello must be 0x0304: that is TLS 1.3. */
static bool hello_is_13(const uint8_t *hello, size_t n) {
  for (size_t i = 0; i + 6 <= n; i++)
    if (memcmp(hello + i, (const uint8_t[]){0x00, 0x2b, 0x00, 0x02, 0x03, 0x04}, 6) == 0)
      return true;
  return false;
}

static int compare_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The sizes of the records of one direction as text; NULL (and a message) if it is not TLS 1.3. */
static char *judge(const Flow *f) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  bool first = true, shown = after == 0;
  size_t i = 0;
  while (i + 5 <= f->length) {
    const uint8_t *r = f->data + i;
    size_t n = (size_t)r[3] << 8 | r[4];
    bool known =
        r[0] >= 20 && r[0] <= 23 && r[1] == 3 && (r[2] == 3 || (first && r[2] == 1)) && n <= 16384 + 256;
    bool plain_ok = r[0] == 23 || r[0] == 20 || (first && r[0] == 22);
    if (!known || !plain_ok || i + 5 + n > f->length) {
      fprintf(stderr, "capture: %u -> %u: byte %zu is not in a TLS 1.3 record (%02x %02x %02x)\n", f->from,
              f->to, i, r[0], r[1], r[2]);
      fclose(out);
      return NULL;
    }
    if (first && r[0] == 22 && r[5] == 2 && !hello_is_13(r + 5, n)) {
      fprintf(stderr, "capture: %u -> %u negotiated something else than TLS 1.3\n", f->from, f->to);
      fclose(out);
      return NULL;
    }
    if (r[0] == 23 && shown)
      fprintf(out, "%zu ", n);
    shown = shown || (r[0] == 23 && n == after);
    first = false;
    i += 5 + n;
  }
  fclose(out);
  if (i != f->length) {
    fprintf(stderr, "capture: %u -> %u: %zu bytes behind the last record\n", f->from, f->to, f->length - i);
    return NULL;
  }
  return text;
}

static int report(void) {
  static char *lines[MAX_FLOWS];
  int n = 0;
  for (int i = 0; i < flow_count; i++) {
    if (flows[i].length == 0)
      continue;
    lines[n] = judge(&flows[i]);
    if (!lines[n++])
      return 1;
  }
  if (other_packets > 0 || n == 0) {
    fprintf(stderr, "capture: %ld packets that are not TCP, %d flows\n", other_packets, n);
    return 1;
  }
  qsort(lines, (size_t)n, sizeof *lines, compare_text);
  for (int i = 0; i < n; i++)
    printf("%s\n", lines[i]);
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 2 && strcmp(argv[1], "--after") == 0) {
    after = strtoul(argv[2], NULL, 10);
    argv += 2;
    argc -= 2;
  }
  if (argc < 2) {
    fprintf(stderr, "usage: capture [--after SIZE] COMMAND [ARG...]\n");
    return 2;
  }
  if (unshare(CLONE_NEWNET) != 0 || !loopback_up())
    return skip("network namespace");
  int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
  if (s < 0)
    return skip("packet socket");
  int bytes = 256 << 20;
  setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(STDERR_FILENO, STDOUT_FILENO);
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  int status = 0;
  while (pid > 0 && waitpid(pid, &status, WNOHANG) == 0)
    capture(s, 20);
  capture(s, 50);
  if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fprintf(stderr, "capture: %s failed\n", argv[1]);
    return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1;
  }
  return report();
}
