/* Reads the lines of TfeProgram.parameters (see parameters.h). */
#include "parameters.h"

const Text parameters_default = {"default", 7};

bool parameters_at(Text parameters, int index, Text *name, Text *value) {
  const char *at = parameters.at, *end = at + parameters.length;
  while (at < end) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    stop = stop ? stop : end;
    const char *equals = memchr(at, '=', (size_t)(stop - at));
    if (equals != NULL && index-- == 0) {
      *name = (Text){at, (size_t)(equals - at)};
      *value = (Text){equals + 1, (size_t)(stop - equals - 1)};
      return true;
    }
    at = stop + 1;
  }
  return false;
}

Text parameters_value(Text parameters, Text wanted) {
  Text name, value;
  for (int i = 0; parameters_at(parameters, i, &name, &value); i++)
    if (text_same(name, wanted))
      return value;
  return parameters_default;
}

bool parameters_differ(Text a, Text b, Text *name) {
  Text here;
  for (int i = 0; parameters_at(a, i, name, &here); i++) {
    Text there = parameters_value(b, *name);
    if (there.at != parameters_default.at && !text_same(here, there))
      return true;
  }
  return false;
}
