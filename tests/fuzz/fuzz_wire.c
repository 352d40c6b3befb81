/* libFuzzer: any bytes as what a peer sends, in any portions. Checks that what comes out of the queue is
 * what a plain reading of the same bytes gives, whatever the portions were: every control message once and
 * in order, and the ordinary messages in order with the control messages left out. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "chan/frame.h"
#include "include/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Plain {
  const uint8_t *at;
  size_t left;
  bool control;
} Plain;

/* The next message of this kind by plain reading; false: none is there whole. */
static bool plain_next(Plain *plain, FrameHead *head, const uint8_t **payload) {
  while (plain->left >= TFE_HEADER_BYTES) {
    *head = frame_read_head(plain->at);
    if (head->bytes > plain->left - TFE_HEADER_BYTES)
      return false;
    *payload = plain->at + TFE_HEADER_BYTES;
    plain->at += TFE_HEADER_BYTES + head->bytes;
    plain->left -= TFE_HEADER_BYTES + (size_t)head->bytes;
    if ((head->number >= FRAME_CONTROL) == plain->control)
      return true;
  }
  return false;
}

static void same(Plain *plain, FrameHead head, const uint8_t *payload) {
  FrameHead expected = {0};
  const uint8_t *bytes = NULL;
  if (!plain_next(plain, &expected, &bytes) || expected.bytes != head.bytes ||
      expected.number != head.number || expected.clock != head.clock ||
      memcmp(bytes, payload, (size_t)head.bytes) != 0)
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2)
    return 0;
  size_t portion = 1 + data[0], every = 1 + data[1] % 7, step = 0;
  data += 2;
  size -= 2;
  FrameQueue queue = {0};
  Plain controls = {data, size, true}, messages = {data, size, false};
  bool bad = false;
  for (size_t at = 0; at < size && !bad; at += portion) {
    size_t bytes = size - at < portion ? size - at : portion;
    uint8_t *space = frame_space(&queue, bytes);
    if (space == NULL)
      break;
    memcpy(space, data + at, bytes);
    frame_added(&queue, bytes);
    FrameHead head;
    const uint8_t *payload;
    FrameResult found;
    while ((found = frame_scan(&queue, &head, &payload)) == FRAME_FOUND)
      same(&controls, head, payload);
    bad = found == FRAME_BAD;
    while (!bad && ++step % every == 0 && frame_first(&queue, &head) == FRAME_FOUND) {
      payload = frame_payload(&queue, head);
      if (payload == NULL)
        break;
      same(&messages, head, payload);
      frame_drop(&queue, head);
    }
  }
  frame_free(&queue);
  return 0;
}
