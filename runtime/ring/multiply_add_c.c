/* Products of elements, portable. */
#define NAME(function) tfe_c_##function
#include "multiply_add_template.h"
