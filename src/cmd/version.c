// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cmd/cmd.h"

static int run(const struct command *self, const struct option_value *options, char **args,
               size_t args_n)
{
    printf("nunchi %s\n", NUNCHI_VERSION);
    return 0;
}

const struct command cmd_version = {
    .name = "version",
    .args = "",
    .summary = "print the version",
    .text = "Prints the version of this program.",
    .run = run,
};
