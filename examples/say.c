/* Speaks through sambertd with nothing but libzmq: the messages are small enough to write by hand.
 *
 *   cc say.c -o say -lzmq && ./say ipc:///run/sambertd/sambertd.sock "您好。" | aplay -f S16_LE -r 16000
 */
#define _GNU_SOURCE /* memmem */
#include <stdio.h>
#include <string.h>
#include <zmq.h>
/* msgpack: {"v": 1, "t": "say", "id": "1", "credit": 8, "text": a str 16, whose length follows} */
static const char SAY[] = "\x85\xa1v\1\xa1t\xa3say\xa2id\xa1" "1\xa6" "credit\10\xa4text\xda";
/* {"v": 1, "t": "credit", "id": "1", "grant": 1} */
static const char CREDIT[] = "\x84\xa1v\1\xa1t\xa6" "credit\xa2id\xa1" "1\xa5grant\1";
enum { MOST = 1 << 19 };
static char frame[2 * MOST];
static size_t size;

static int receive(void *daemon) {
  int got = zmq_recv(daemon, frame, MOST, 0); /* what is longer is cut */
  return size = (size_t)(got < MOST ? got : MOST), got >= 0;
}

static const unsigned char *after(const char *packed) {
  const char *found = memmem(frame, size, packed, strlen(packed));
  return found ? (const unsigned char *)found + strlen(packed) : NULL;
}

static int failed(const char *key, const char *end) { /* tells the str that is there */
  const unsigned char *at = after(key);
  int wide = !at ? 0 : *at == 0xda ? 2 : *at == 0xd9; /* bytes of its length: str 16, str 8, short */
  if (at) fprintf(stderr, "%.*s%s", wide == 2 ? at[1] << 8 | at[2] : wide ? at[1] : *at & 31, at + 1 + wide, end);
  return 1;
}

int main(int count, char **words) {
  size_t length = count == 3 ? strlen(words[2]) : MOST, begun = sizeof SAY - 1;
  if (length > 60000) return fprintf(stderr, "usage: %s ENDPOINT TEXT\n", words[0]), 2;
  void *context = zmq_ctx_new(), *daemon = zmq_socket(context, ZMQ_DEALER);
  zmq_setsockopt(daemon, ZMQ_RCVTIMEO, &(int){10000}, sizeof(int)); /* ms */
  if (zmq_connect(daemon, words[1])) return perror(words[1]), 3;
  memcpy(frame, SAY, begun), frame[begun++] = (char)(length >> 8), frame[begun++] = (char)length;
  memcpy(frame + begun, words[2], length);
  zmq_send(daemon, frame, begun + length, 0);
  while (receive(daemon)) { /* frame 1: what it is */
    if (after("\xa1t\xa5" "error") || after("\xa3why\xa5" "error"))
      return failed("\xa4text", " ("), failed("\xa4" "code", ")\n");
    if (after("\xa1t\xa4" "done")) return after("\xa3why\xa3" "end") ? 0 : failed("\xa3why", "\n");
    if (!after("\xa1t\xa5" "audio") || !receive(daemon)) continue; /* frame 2: the PCM */
    fwrite(frame, 1, size, stdout), fflush(stdout);
    zmq_send(daemon, CREDIT, sizeof CREDIT - 1, 0); /* there is room for one more */
  }
  return fprintf(stderr, "no answer from %s: %s\n", words[1], zmq_strerror(zmq_errno())), 3;
}
