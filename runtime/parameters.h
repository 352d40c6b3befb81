/* What a program was compiled with: lines "name=value" (TfeProgram.parameters). Of one program (equal hashes),
 * a parameter that is not listed has the value that the program's text gives it; so whoever set a parameter
 * to its default agrees with whoever did not set it. */
#ifndef TFE_PARAMETERS_H
#define TFE_PARAMETERS_H

#include "bytes.h"

/* The value of a parameter that is not listed: told by its address. */
extern const Text parameters_default;

/* Line number `index`; false: there are fewer. */
bool parameters_at(Text parameters, int index, Text *name, Text *value);
/* parameters_default if it is not listed. */
Text parameters_value(Text parameters, Text name);
/* Is there a parameter that both list, with different values? Then *name. */
bool parameters_differ(Text a, Text b, Text *name);

#endif
