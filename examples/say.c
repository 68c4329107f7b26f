/* Speaks through sambertd with nothing but libzmq: the messages are small enough to pack by hand.
 *
 *   cc say.c -o say -lzmq && ./say ipc:///run/sambertd/sambertd.sock "您好。" | aplay -f S16_LE -r 16000
 */
#define _GNU_SOURCE /* memmem */
#include <stdio.h>
#include <string.h>
#include <zmq.h>

static char frame[65536];
static size_t size;

static void text(const char *value) { /* msgpack: str 16 */
  size_t length = strlen(value);
  if (length > sizeof frame / 2) length = sizeof frame / 2; /* too long to be spoken */
  frame[size++] = (char)0xda, frame[size++] = (char)(length >> 8), frame[size++] = (char)length;
  memcpy(frame + size, value, length);
  size += length;
}

static void number(const char *key, char value) { text(key), frame[size++] = value; } /* 0 to 127 */

static void begin(int fields, const char *type) { /* msgpack: a map of so many fields, and three */
  size = 0, frame[size++] = (char)(0x80 + fields + 3);
  number("v", 1), text("t"), text(type), text("id"), text("1");
}

static const unsigned char *after(const char *packed) {
  const char *found = memmem(frame, size, packed, strlen(packed));
  return found ? (const unsigned char *)found + strlen(packed) : NULL;
}

static int refused(void) {
  const unsigned char *why = after("\xa4text");
  if (!why) return 1;
  int length = *why & 31; /* msgpack: a short str, str 8 or str 16 */
  if (*why == 0xd9) length = *++why;
  if (*why == 0xda) length = why[1] << 8 | why[2], why += 2;
  return fprintf(stderr, "%.*s\n", length, why + 1), 1;
}

int main(int count, char **words) {
  if (count != 3) return fprintf(stderr, "usage: %s ENDPOINT TEXT\n", words[0]), 2;
  void *context = zmq_ctx_new(), *daemon = zmq_socket(context, ZMQ_DEALER);
  int patience_ms = 10000, got;
  zmq_setsockopt(daemon, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms);
  if (zmq_connect(daemon, words[1])) return perror(words[1]), 3;
  begin(2, "say"), text("text"), text(words[2]), number("credit", 8);
  zmq_send(daemon, frame, size, 0);
  while ((got = zmq_recv(daemon, frame, sizeof frame, 0)) >= 0) { /* frame 1: what it is */
    size = (size_t)got;
    if (after("\xa1t\xa5" "error")) return refused();
    if (after("\xa1t\xa4" "done")) return after("\xa3why\xa3" "end") ? 0 : 1;
    if (!after("\xa1t\xa5" "audio")) continue;
    got = zmq_recv(daemon, frame, sizeof frame, 0); /* frame 2: the PCM */
    fwrite(frame, 1, (size_t)got, stdout), fflush(stdout);
    begin(1, "credit"), number("grant", 1); /* there is room for one more */
    zmq_send(daemon, frame, size, 0);
  }
  return fprintf(stderr, "no answer from %s: %s\n", words[1], zmq_strerror(zmq_errno())), 3;
}
