// SPDX-License-Identifier: Apache-2.0
/*
 * node_network_*: /proc/net/dev, which sums the kernel's error counters as upstream does when it
 * asks by netlink, and rx_nohandler of sysfs, which is not in that file.
 */
#include "base/num.h"
#include "collect/collect_int.h"

enum { DEVICES_MAX = 100000 };

bool parse_netdev(str text, struct arena *a, struct netdev_line **out, size_t *n, struct err *err)
{
    VEC(struct netdev_line) v = {0};
    str rest = text, line;
    bool ok = true;
    while (ok && str_cut(&rest, '\n', &line)) {
        struct netdev_line d = {0};
        ssize_t colon = str_index(line, ':');
        if (colon < 0)
            continue; /* the two lines of the head */
        d.name = str_trim(str_sub(line, 0, (size_t)colon));
        line = str_sub(line, (size_t)colon + 1, line.n);
        ok = d.name.n && v.n < DEVICES_MAX;
        for (int i = 0; i < NETDEV_FIELDS && ok; i++)
            ok = text_u64(&line, &d.f[i]);
        if (ok)
            vec_push(&v, d);
        else
            err_set(err, ERR_CORRUPT, "net/dev: device %zu makes no sense", v.n + 1);
    }
    if (ok) {
        *n = v.n;
        *out = arena_array(a, struct netdev_line, v.n);
        for (size_t i = 0; i < v.n; i++) {
            (*out)[i] = v.at[i];
            (*out)[i].name = arena_dup(a, v.at[i].name);
        }
    }
    vec_fini(&v);
    return ok;
}

#define NET(key, index)                                                                            \
    {                                                                                              \
        "node_network_" key "_total", "Network device statistic " key ".", index                   \
    }

static const struct {
    const char *name, *help;
    int index; /* in netdev_line.f */
} rows[] = {
    NET("receive_bytes", 0),     NET("receive_compressed", 6), NET("receive_drop", 3),
    NET("receive_errs", 2),      NET("receive_fifo", 4),       NET("receive_frame", 5),
    NET("receive_multicast", 7), NET("receive_packets", 1),    NET("transmit_bytes", 8),
    NET("transmit_carrier", 14), NET("transmit_colls", 13),    NET("transmit_compressed", 15),
    NET("transmit_drop", 11),    NET("transmit_errs", 10),     NET("transmit_fifo", 12),
    NET("transmit_packets", 9),
};

static void put_nohandler(struct collect_ctx *c, const struct netdev_line *d, size_t n)
{
    static const char name[] = "node_network_receive_nohandler_total";
    put_family(c, name, METRIC_COUNTER, "Network device statistic receive_nohandler.");
    for (size_t i = 0; i < n; i++) {
        struct err ignored = {0};
        str text;
        uint64_t v;
        /* An alias such as eth0:1 has no folder, and a device may just have gone. */
        if (str_index(d[i].name, '/') < 0 &&
            collect_read(c, &text, &ignored, c->sysfs, "class/net/%.*s/statistics/rx_nohandler",
                         STR_ARG(d[i].name)) &&
            u64_parse(str_trim(text), &v))
            put_labels(c, name, &LABEL("device", d[i].name), 1, (double)v);
    }
}

bool node_netdev_update(struct collect_ctx *c, struct err *err)
{
    str text;
    struct netdev_line *d;
    size_t n;
    /* self: the network namespace that this process sees. */
    if (!collect_read(c, &text, err, c->procfs, "self/net/dev") ||
        !parse_netdev(text, &c->arena, &d, &n, err))
        return false;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        put_family(c, rows[r].name, METRIC_COUNTER, rows[r].help);
        for (size_t i = 0; i < n; i++)
            put_labels(c, rows[r].name, &LABEL("device", d[i].name), 1,
                       (double)d[i].f[rows[r].index]);
    }
    put_nohandler(c, d, n);
    return true;
}
