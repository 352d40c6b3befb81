/* Framing (see frame.h). No sockets and no context here, so that any bytes can be tried on it. */
#include "frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "../include/program.h"

enum { FRAME_FIRST_CAPACITY = 64 << 10 };

void frame_write_head(uint8_t out[16], FrameHead head) {
  for (int i = 0; i < 8; i++)
    out[i] = (uint8_t)(head.bytes >> 8 * i);
  for (int i = 0; i < 4; i++) {
    out[8 + i] = (uint8_t)(head.number >> 8 * i);
    out[12 + i] = (uint8_t)(head.clock >> 8 * i);
  }
}

FrameHead frame_read_head(const uint8_t in[16]) {
  FrameHead head = {0};
  for (int i = 0; i < 8; i++)
    head.bytes |= (uint64_t)in[i] << 8 * i;
  for (int i = 0; i < 4; i++) {
    head.number |= (uint32_t)in[8 + i] << 8 * i;
    head.clock |= (uint32_t)in[12 + i] << 8 * i;
  }
  return head;
}

size_t frame_waiting(const FrameQueue *queue) {
  return queue->tail - queue->head;
}

uint8_t *frame_space(FrameQueue *queue, size_t bytes) {
  size_t waiting = frame_waiting(queue);
  if (waiting == 0)
    queue->head = queue->tail = 0;
  if (queue->capacity - queue->tail >= bytes && queue->data != NULL)
    return queue->data + queue->tail;
  if (queue->head >= queue->capacity / 2 && queue->capacity - waiting >= bytes && queue->data != NULL) {
    memmove(queue->data, queue->data + queue->head, waiting);
  } else {
    size_t capacity = queue->capacity ? queue->capacity : FRAME_FIRST_CAPACITY;
    while (capacity - waiting < bytes)
      capacity *= 2;
    uint8_t *data = malloc(capacity);
    if (data == NULL)
      return NULL;
    if (waiting > 0)
      memcpy(data, queue->data + queue->head, waiting);
    if (queue->data != NULL)
      OPENSSL_cleanse(queue->data, queue->tail);
    free(queue->data);
    queue->data = data;
    queue->capacity = capacity;
  }
  queue->head = 0;
  queue->tail = waiting;
  return queue->data + queue->tail;
}

void frame_added(FrameQueue *queue, size_t bytes) {
  assert(queue->capacity - queue->tail >= bytes);
  queue->tail += bytes;
}

FrameResult frame_scan(FrameQueue *queue, FrameHead *head, const uint8_t **payload) {
  for (;;) {
    size_t waiting = frame_waiting(queue);
    if (queue->scan + TFE_HEADER_BYTES > waiting)
      return FRAME_MORE;
    const uint8_t *at = queue->data + queue->head + queue->scan;
    *head = frame_read_head(at);
    if (head->bytes > (head->number >= FRAME_CONTROL ? (uint64_t)FRAME_CONTROL_LIMIT : FRAME_LIMIT))
      return FRAME_BAD;
    uint64_t next = queue->scan + TFE_HEADER_BYTES + head->bytes;
    if (head->number < FRAME_CONTROL) {
      queue->scan = next;
      continue;
    }
    if (next > waiting)
      return FRAME_MORE;
    queue->scan = next;
    *payload = at + TFE_HEADER_BYTES;
    return FRAME_FOUND;
  }
}

FrameResult frame_first(FrameQueue *queue, FrameHead *head) {
  while (frame_waiting(queue) >= TFE_HEADER_BYTES) {
    *head = frame_read_head(queue->data + queue->head);
    if (head->number < FRAME_CONTROL)
      return head->bytes > FRAME_LIMIT ? FRAME_BAD : FRAME_FOUND;
    /* A control message is dropped only after frame_scan has reported it. */
    if (queue->scan < TFE_HEADER_BYTES + head->bytes || frame_waiting(queue) < TFE_HEADER_BYTES + head->bytes)
      return FRAME_MORE;
    frame_drop(queue, *head);
  }
  return FRAME_MORE;
}

const uint8_t *frame_payload(const FrameQueue *queue, FrameHead head) {
  if (frame_waiting(queue) - TFE_HEADER_BYTES < head.bytes)
    return NULL;
  return queue->data + queue->head + TFE_HEADER_BYTES;
}

void frame_drop(FrameQueue *queue, FrameHead head) {
  size_t bytes = TFE_HEADER_BYTES + (size_t)head.bytes;
  assert(bytes <= frame_waiting(queue));
  queue->head += bytes;
  queue->scan = queue->scan > bytes ? queue->scan - bytes : 0;
}

void frame_free(FrameQueue *queue) {
  if (queue->data != NULL)
    OPENSSL_cleanse(queue->data, queue->capacity);
  free(queue->data);
  *queue = (FrameQueue){0};
}
