// SPDX-License-Identifier: Apache-2.0
#include "sys/self.h"

const struct self_row self_rows[SELF_N] = {
#define SELF(id, type, name, label, value, help)                                                   \
    [SELF_##id] = {SELF_TYPE_##type, name, label, value, help},
#include "sys/self.def"
#undef SELF
};

_Atomic int64_t self_values[SELF_N];
