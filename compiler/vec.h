/* A growable array in an arena: struct { T *data; int count, capacity; } handled by two macros. */
#ifndef TFEC_VEC_H
#define TFEC_VEC_H

#include <string.h>

#include "arena.h"

#define VEC(T)                                                                                               \
  struct {                                                                                                   \
    T *data;                                                                                                 \
    int count, capacity;                                                                                     \
  }

#define VEC_PUSH(arena, v, item)                                                                             \
  do {                                                                                                       \
    if ((v)->count == (v)->capacity) {                                                                       \
      int capacity_ = (v)->capacity ? 2 * (v)->capacity : 8;                                                 \
      void *data_ = arena_alloc((arena), sizeof *(v)->data * (size_t)capacity_);                             \
      if ((v)->count)                                                                                        \
        memcpy(data_, (v)->data, sizeof *(v)->data *(size_t)(v)->count);                                     \
      (v)->data = data_;                                                                                     \
      (v)->capacity = capacity_;                                                                             \
    }                                                                                                        \
    (v)->data[(v)->count++] = (item);                                                                        \
  } while (0)

#endif
