/* Naming elements in messages. */
#ifndef TFE_CHECK_H
#define TFE_CHECK_H

#include <stddef.h>
#include <stdint.h>

/* "[17, 1]" for element number `element` of a dense tensor; "[]" for rank 0. */
void tfe_check_element(char *text, size_t size, int64_t element, const int64_t *dims, int64_t rank);

#endif
