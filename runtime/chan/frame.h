/* Messages in a stream of bytes: the queue of what one peer has sent and the party has not used yet.
 *
 * A message is its header (include/program.h) and its payload. Numbers from FRAME_CONTROL up are the
 * runtime's own; they are seen as soon as they have arrived (frame_scan), even behind messages that wait
 * to be used, and are skipped later. Memory grows with the bytes that came, never with the length that a
 * header claims. */
#ifndef TFE_FRAME_H
#define TFE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  FRAME_CONTROL_LIMIT = 1 << 20, /* bytes of a control message */
};
#define FRAME_CONTROL UINT32_C(0xFFFFFF00)
#define FRAME_LIMIT (UINT64_C(1) << 40) /* bytes of a message: more is a fault */

typedef struct FrameHead {
  uint64_t bytes;
  uint32_t number, clock;
} FrameHead;

typedef struct FrameQueue {
  uint8_t *data;
  size_t capacity, head, tail; /* bytes [head, tail) wait */
  uint64_t scan;               /* next header that frame_scan looks at, counted from head */
} FrameQueue;

typedef enum FrameResult { FRAME_MORE, FRAME_FOUND, FRAME_BAD } FrameResult;

void frame_write_head(uint8_t out[16], FrameHead head);
FrameHead frame_read_head(const uint8_t in[16]);

/* Room for at least `bytes` more at the tail; NULL: no memory. */
uint8_t *frame_space(FrameQueue *queue, size_t bytes);
void frame_added(FrameQueue *queue, size_t bytes);
size_t frame_waiting(const FrameQueue *queue);
/* The next control message that has arrived whole and was not reported yet. payload is valid until
 * frame_space. */
FrameResult frame_scan(FrameQueue *queue, FrameHead *head, const uint8_t **payload);
/* Header of the first message that is not a control message. */
FrameResult frame_first(FrameQueue *queue, FrameHead *head);
/* Its payload once it is there whole, else NULL; frame_drop forgets it. Only after FRAME_FOUND. */
const uint8_t *frame_payload(const FrameQueue *queue, FrameHead head);
void frame_drop(FrameQueue *queue, FrameHead head);
void frame_free(FrameQueue *queue); /* wipes */

#endif
