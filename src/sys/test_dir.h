// SPDX-License-Identifier: Apache-2.0
/* For tests: a directory of their own below $TMPDIR, removed with all that is in it. */
#ifndef SYS_TEST_DIR_H
#define SYS_TEST_DIR_H

/* The path, on the heap. Aborts when there can be none. */
char *test_dir_new(void);
/* Removes the directory and gives the path back. */
void test_dir_free(char *path);

#endif
