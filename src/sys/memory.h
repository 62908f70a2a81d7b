// SPDX-License-Identifier: Apache-2.0
/* The allocator of this process. */
#ifndef SYS_MEMORY_H
#define SYS_MEMORY_H

#include <stdbool.h>

/*
 * Whether pages that are freed go back to the system at once, what is kept for reuse now too, or
 * after a while, as is faster. Any thread. Does nothing with an allocator that cannot.
 */
void memory_return_at_once(bool at_once);

#endif
