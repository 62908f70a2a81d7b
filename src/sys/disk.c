// SPDX-License-Identifier: Apache-2.0
/* Paths, errors and order: the part of the contract in env.h that every disk keeps in the same way.
 */
#include <errno.h>
#include <stdlib.h>

#include "sys/disk_int.h"
#include "sys/self.h"

static bool name_ok(str name)
{
    return name.n && name.n <= 255 && !str_eqz(name, ".") && !str_eqz(name, "..") &&
           memchr(name.p, 0, name.n) == NULL;
}

bool disk_path_check(str path, bool dir, struct err *err)
{
    if (dir && str_eqz(path, "."))
        return true;
    bool ok = path.n < DISK_PATH_MAX;
    str rest = path, name;
    while (ok && str_cut(&rest, '/', &name))
        ok = name_ok(name);
    return ok ||
           err_set(err, ERR_INVALID, "\"%.*s\" is no path inside the directory", STR_ARG(path));
}

str disk_path_split(str path, str *name)
{
    size_t at = path.n;
    while (at && path.p[at - 1] != '/')
        at--;
    *name = str_sub(path, at, path.n);
    return at ? str_sub(path, 0, at - 1) : STR(".");
}

bool disk_fail(struct err *err, int error, const char *verb, str path)
{
    enum err_kind kind = ERR_IO;
    if (error == ENOSPC || error == EDQUOT)
        kind = ERR_NO_SPACE;
    else if (error == ENOENT)
        kind = ERR_NOT_FOUND;
    else if (error == EEXIST)
        kind = ERR_EXISTS;
    else if (error == EXDEV || error == ELOOP)
        kind = ERR_DENIED;
    if (kind == ERR_IO || kind == ERR_NO_SPACE)
        self_add(kind == ERR_IO ? SELF_DISK_ERRORS_IO : SELF_DISK_ERRORS_NO_SPACE, 1);
    const char *why = strerrordesc_np(error);
    return err_set(err, kind, "cannot %s %.*s: %s", verb, STR_ARG(path),
                   kind == ERR_DENIED ? "the path leads out of the directory" : why);
}

static int compare_names(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

void disk_names_sort(str *names, size_t n)
{
    if (n)
        qsort(names, n, sizeof *names, compare_names);
}
