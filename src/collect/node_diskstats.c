// SPDX-License-Identifier: Apache-2.0
/*
 * node_disk_*: /proc/diskstats and what udev recorded about each device. Devices are left out as by
 * upstream's ^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$: RAM disks, loops, floppies,
 * partitions.
 */
#include "base/num.h"
#include "collect/collect_int.h"

enum { DISKS_MAX = 100000 };

static size_t digits(str s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    return n;
}

static bool all_digits(str s)
{
    return s.n && digits(s) == s.n;
}

/* sda1, but not sda: the stem, one letter, digits. */
static bool is_partition(str name, str stem)
{
    return str_starts(name, stem) && name.n > stem.n + 1 && name.p[stem.n] >= 'a' &&
           name.p[stem.n] <= 'z' && all_digits(str_sub(name, stem.n + 1, name.n));
}

static bool is_nvme_partition(str name)
{
    if (!str_starts(name, STR("nvme")))
        return false;
    str rest = str_sub(name, 4, name.n);
    for (const char *mark = "np"; *mark; mark++) {
        size_t n = digits(rest);
        if (!n || n >= rest.n || rest.p[n] != *mark)
            return false;
        rest = str_sub(rest, n + 1, rest.n);
    }
    return all_digits(rest);
}

bool disk_excluded(str name)
{
    static const str plain[] = {STR_INIT("ram"), STR_INIT("zram"), STR_INIT("loop"),
                                STR_INIT("fd")};
    static const str stems[] = {STR_INIT("hd"), STR_INIT("sd"), STR_INIT("vd"), STR_INIT("xvd")};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (str_starts(name, plain[i]) && all_digits(str_sub(name, plain[i].n, name.n)))
            return true;
    for (size_t i = 0; i < sizeof stems / sizeof *stems; i++)
        if (is_partition(name, stems[i]))
            return true;
    return is_nvme_partition(name);
}

static bool parse_line(str line, struct disk_line *d)
{
    *d = (struct disk_line){0};
    if (!text_u64(&line, &d->major) || !text_u64(&line, &d->minor) || !text_field(&line, &d->name))
        return false;
    while (d->fields_n < DISK_FIELDS && text_u64(&line, &d->f[d->fields_n]))
        d->fields_n++;
    return d->fields_n >= 11;
}

bool parse_diskstats(str text, struct arena *a, struct disk_line **out, size_t *n, struct err *err)
{
    VEC(struct disk_line) v = {0};
    str rest = text, line;
    bool ok = true;
    while (ok && str_cut(&rest, '\n', &line)) {
        struct disk_line d;
        if (!str_trim(line).n)
            continue;
        ok = v.n < DISKS_MAX && parse_line(line, &d);
        if (!ok)
            err_set(err, ERR_CORRUPT, "diskstats: line %zu makes no sense", v.n + 1);
        else if (!disk_excluded(d.name))
            vec_push(&v, d);
    }
    if (ok) {
        *n = v.n;
        *out = arena_array(a, struct disk_line, v.n);
        for (size_t i = 0; i < v.n; i++) {
            (*out)[i] = v.at[i];
            (*out)[i].name = arena_dup(a, v.at[i].name);
        }
    }
    vec_fini(&v);
    return ok;
}

str udev_property(str text, str name)
{
    str line;
    while (str_cut(&text, '\n', &line)) {
        if (str_starts(line, STR("E:")) && str_starts(str_sub(line, 2, line.n), name) &&
            line.n > name.n + 2 && line.p[name.n + 2] == '=')
            return str_sub(line, name.n + 3, line.n);
    }
    return STR("");
}

/* Scales as upstream: multiplying by 0.001 and dividing by 1000 round differently. */
#define MS (1.0 / 1000.0)
#define SECTOR 512.0

static const struct {
    const char *name, *help;
    double scale;
    enum metric_type type;
} columns[DISK_FIELDS] = {
    {"node_disk_reads_completed_total", "The total number of reads completed successfully.", 1,
     METRIC_COUNTER},
    {"node_disk_reads_merged_total", "The total number of reads merged.", 1, METRIC_COUNTER},
    {"node_disk_read_bytes_total", "The total number of bytes read successfully.", SECTOR,
     METRIC_COUNTER},
    {"node_disk_read_time_seconds_total", "The total number of seconds spent by all reads.", MS,
     METRIC_COUNTER},
    {"node_disk_writes_completed_total", "The total number of writes completed successfully.", 1,
     METRIC_COUNTER},
    {"node_disk_writes_merged_total", "The number of writes merged.", 1, METRIC_COUNTER},
    {"node_disk_written_bytes_total", "The total number of bytes written successfully.", SECTOR,
     METRIC_COUNTER},
    {"node_disk_write_time_seconds_total",
     "This is the total number of seconds spent by all writes.", MS, METRIC_COUNTER},
    {"node_disk_io_now", "The number of I/Os currently in progress.", 1, METRIC_GAUGE},
    {"node_disk_io_time_seconds_total", "Total seconds spent doing I/Os.", MS, METRIC_COUNTER},
    {"node_disk_io_time_weighted_seconds_total", "The weighted # of seconds spent doing I/Os.", MS,
     METRIC_COUNTER},
    {"node_disk_discards_completed_total", "The total number of discards completed successfully.",
     1, METRIC_COUNTER},
    {"node_disk_discards_merged_total", "The total number of discards merged.", 1, METRIC_COUNTER},
    {"node_disk_discarded_sectors_total", "The total number of sectors discarded successfully.", 1,
     METRIC_COUNTER},
    {"node_disk_discard_time_seconds_total",
     "This is the total number of seconds spent by all discards.", MS, METRIC_COUNTER},
    {"node_disk_flush_requests_total", "The total number of flush requests completed successfully",
     1, METRIC_COUNTER},
    {"node_disk_flush_requests_time_seconds_total",
     "This is the total number of seconds spent by all flush requests.", MS, METRIC_COUNTER},
};

static void put_columns(struct collect_ctx *c, const struct disk_line *d, size_t n)
{
    for (size_t col = 0; col < DISK_FIELDS; col++) {
        bool begun = false;
        for (size_t i = 0; i < n; i++) {
            if (col >= d[i].fields_n)
                continue;
            if (!begun)
                put_family(c, columns[col].name, columns[col].type, columns[col].help);
            begun = true;
            put_labels(c, columns[col].name, &LABEL("device", d[i].name), 1,
                       (double)d[i].f[col] * columns[col].scale);
        }
    }
}

enum { INFO_LABELS = 7 };

/* Samples that carry what udev knows: the label and the property it comes from. "device" is first
 * or where the order of names puts it; a row is left out when `only_with` is empty. */
static const struct udev_info {
    const char *name, *help;
    str only_with;
    struct {
        str label, property;
    } l[INFO_LABELS];
} infos[] = {
    {"node_disk_filesystem_info",
     "Info about disk filesystem.",
     STR_INIT("ID_FS_TYPE"),
     {{STR_INIT("type"), STR_INIT("ID_FS_TYPE")},
      {STR_INIT("usage"), STR_INIT("ID_FS_USAGE")},
      {STR_INIT("uuid"), STR_INIT("ID_FS_UUID")},
      {STR_INIT("version"), STR_INIT("ID_FS_VERSION")}}},
    {"node_disk_device_mapper_info",
     "Info about disk device mapper.",
     STR_INIT("DM_NAME"),
     {{STR_INIT("lv_layer"), STR_INIT("DM_LV_LAYER")},
      {STR_INIT("lv_name"), STR_INIT("DM_LV_NAME")},
      {STR_INIT("name"), STR_INIT("DM_NAME")},
      {STR_INIT("uuid"), STR_INIT("DM_UUID")},
      {STR_INIT("vg_name"), STR_INIT("DM_VG_NAME")}}},
};

static const struct {
    const char *name, *help;
    str property;
} ata[] = {
    {"node_disk_ata_rotation_rate_rpm", "ATA disk rotation rate in RPMs (0 for SSDs).",
     STR_INIT("ID_ATA_ROTATION_RATE_RPM")},
    {"node_disk_ata_write_cache", "ATA disk has a write cache.", STR_INIT("ID_ATA_WRITE_CACHE")},
    {"node_disk_ata_write_cache_enabled", "ATA disk has its write cache enabled.",
     STR_INIT("ID_ATA_WRITE_CACHE_ENABLED")},
};

/* "0" where the kernel does not tell, as upstream. */
static str rotational(struct collect_ctx *c, str disk)
{
    str text;
    struct err ignored = {0};
    if (!collect_read(c, &text, &ignored, c->sysfs, "block/%.*s/queue/rotational", STR_ARG(disk)))
        return STR("0");
    return arena_dup(&c->arena, str_trim(text));
}

static void put_disk_info(struct collect_ctx *c, const struct disk_line *d, const str *udev,
                          size_t n)
{
    put_family(c, "node_disk_info", METRIC_GAUGE, "Info of /sys/block/<block_device>.");
    for (size_t i = 0; i < n; i++) {
        str serial = udev_property(udev[i], STR("SCSI_IDENT_SERIAL"));
        if (!serial.n)
            serial = udev_property(udev[i], STR("ID_SERIAL_SHORT"));
        struct label l[] = {
            LABEL("device", d[i].name),
            LABEL("major", arena_printf(&c->arena, "%llu", (unsigned long long)d[i].major)),
            LABEL("minor", arena_printf(&c->arena, "%llu", (unsigned long long)d[i].minor)),
            LABEL("model", udev_property(udev[i], STR("ID_MODEL"))),
            LABEL("path", udev_property(udev[i], STR("ID_PATH"))),
            LABEL("revision", udev_property(udev[i], STR("ID_REVISION"))),
            LABEL("rotational", rotational(c, d[i].name)),
            LABEL("serial", serial),
            LABEL("wwn", udev_property(udev[i], STR("ID_WWN"))),
        };
        put_labels(c, "node_disk_info", l, sizeof l / sizeof *l, 1);
    }
}

static void put_udev_info(struct collect_ctx *c, const struct udev_info *info,
                          const struct disk_line *d, const str *udev, size_t n)
{
    bool begun = false;
    for (size_t i = 0; i < n; i++) {
        struct label l[INFO_LABELS + 1] = {LABEL("device", d[i].name)};
        size_t labels = 1;
        if (!udev_property(udev[i], info->only_with).n)
            continue;
        for (size_t k = 0; k < INFO_LABELS && info->l[k].label.n; k++)
            l[labels++] =
                (struct label){info->l[k].label, udev_property(udev[i], info->l[k].property)};
        if (!begun)
            put_family(c, info->name, METRIC_GAUGE, info->help);
        begun = true;
        put_labels(c, info->name, l, labels, 1);
    }
}

static void put_ata(struct collect_ctx *c, const struct disk_line *d, const str *udev, size_t n)
{
    for (size_t k = 0; k < sizeof ata / sizeof *ata; k++) {
        bool begun = false;
        for (size_t i = 0; i < n; i++) {
            double v;
            if (!udev_property(udev[i], STR("ID_ATA")).n ||
                !f64_parse(udev_property(udev[i], ata[k].property), &v))
                continue;
            if (!begun)
                put_family(c, ata[k].name, METRIC_GAUGE, ata[k].help);
            begun = true;
            put_labels(c, ata[k].name, &LABEL("device", d[i].name), 1, v);
        }
    }
}

bool node_diskstats_update(struct collect_ctx *c, struct err *err)
{
    str text;
    struct disk_line *d;
    size_t n;
    if (!collect_read(c, &text, err, c->procfs, "diskstats") ||
        !parse_diskstats(text, &c->arena, &d, &n, err))
        return false;
    str *udev = arena_array(&c->arena, str, n);
    for (size_t i = 0; i < n; i++) {
        struct err ignored = {0}; /* many devices and containers have no record */
        if (collect_read(c, &text, &ignored, c->udev, "b%llu:%llu", (unsigned long long)d[i].major,
                         (unsigned long long)d[i].minor))
            udev[i] = arena_dup(&c->arena, text);
    }
    put_disk_info(c, d, udev, n);
    put_columns(c, d, n);
    for (size_t i = 0; i < sizeof infos / sizeof *infos; i++)
        put_udev_info(c, &infos[i], d, udev, n);
    put_ata(c, d, udev, n);
    return true;
}
