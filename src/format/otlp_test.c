// SPDX-License-Identifier: Apache-2.0
/*
 * Requests in JSON, which also become protobuf on the way, and the batch they make, as text: one
 * line a sample, an exemplar or a family.
 */
#include "format/otlp.h"

#include <inttypes.h>

#include "base/num.h"
#include "base/test.h"
#include "codec/protobuf.h"
#include "model/histogram_math.h"

static const struct conf_otlp defaults = {.strategy = CONF_OTLP_ESCAPE_SUFFIXES,
                                          .label_key_prefix = true,
                                          .label_keep_underscores = true};

/* ---- a batch as text ---- */

static void dump_value(const struct batch *b, size_t i, struct strbuf *out)
{
    char text[F64_TEXT_MAX];
    if (b->h && b->h[i]) {
        const struct histogram *h = b->h[i];
        strbuf_addf(out, "{schema %d count %g sum %g zero %g below %g", h->schema, h->count, h->sum,
                    h->zero_count, h->zero_threshold);
        for (uint32_t k = 0; k < h->custom_n; k++)
            strbuf_addf(out, "%s%g", k ? "," : " bounds ", h->custom[k]);
        struct histogram_walk w = histogram_walk_of(&h->positive);
        while (histogram_walk_next(&w))
            strbuf_addf(out, " %" PRId64 ":%g", w.index, w.count);
        w = histogram_walk_of(&h->negative);
        while (histogram_walk_next(&w))
            strbuf_addf(out, " -%" PRId64 ":%g", w.index, w.count);
        strbuf_addz(out, h->reset == HISTOGRAM_GAUGE ? " gauge}" : "}");
    } else if (is_stale_nan(b->v[i])) {
        strbuf_addz(out, "stale");
    } else {
        f64_format(b->v[i], text);
        strbuf_addz(out, text);
    }
}

static void dump(const struct batch *b, struct strbuf *out)
{
    for (size_t s = 0; s < b->series_n; s++) {
        const struct batch_series *bs = &b->series[s];
        assert_int_equal(bs->hash, labels_hash(bs->labels));
        for (size_t i = bs->first; i < (size_t)bs->first + bs->n; i++) {
            labels_format(bs->labels, out);
            strbuf_addc(out, ' ');
            dump_value(b, i, out);
            strbuf_addf(out, " @%" PRId64, b->t[i]);
            if (b->start && b->start[i])
                strbuf_addf(out, " since %" PRId64, b->start[i]);
            strbuf_addc(out, '\n');
        }
        for (size_t i = 0; i < b->exemplars_n; i++) {
            const struct batch_exemplar *x = &b->exemplars[i];
            if (x->series != s)
                continue;
            strbuf_addz(out, "  # ");
            labels_format(x->labels, out);
            strbuf_addf(out, " %g @%" PRId64 "\n", x->v, x->t);
        }
    }
    for (size_t i = 0; i < b->metadata_n; i++) {
        const struct metadata *m = &b->metadata[i];
        strbuf_addf(out, "# %.*s %.*s \"%.*s\" %.*s\n", STR_ARG(m->family),
                    STR_ARG(metric_type_name(m->type)), STR_ARG(m->unit), STR_ARG(m->help));
    }
}

struct outcome {
    struct strbuf text;
    struct otlp_counts counts;
    struct err err;
    bool ok;
};

static void outcome_fini(struct outcome *o)
{
    strbuf_fini(&o->text);
}
#define OUTCOME __attribute__((cleanup(outcome_fini)))

static void run(str json, const struct otlp_options *o, struct outcome *x)
{
    STRBUF_CLEANUP struct strbuf message = {0};
    struct batch *b = batch_new();
    *x = (struct outcome){0};
    x->ok = otlp_json_to_protobuf(json, 1 << 20, &message, &x->err) &&
            otlp_metrics_decode(bytes_from_str(strbuf_str(&message)), o, b, &x->counts, &x->err);
    if (x->ok)
        dump(b, &x->text);
    else
        assert_true(b->series_n == 0 && b->samples_n == 0);
    batch_free(b);
}

/* ---- names ---- */

static void test_metric_names(void **state)
{
    static const struct {
        const char *name, *unit;
        enum otlp_kind kind;
        const char *escaped_suffixes, *kept_suffixes, *escaped;
    } rows[] = {
        {"http.server.duration", "s", OTLP_HISTOGRAM, "http_server_duration_seconds",
         "http.server.duration_seconds", "http_server_duration"},
        {"http.server.duration.seconds", "s", OTLP_HISTOGRAM, "http_server_duration_seconds",
         "http.server.duration.seconds", "http_server_duration_seconds"},
        {"requests", "1", OTLP_COUNTER, "requests_total", "requests_total", "requests"},
        {"requests.total", "{request}", OTLP_COUNTER, "requests_total", "requests_total",
         "requests_total"},
        {"total.requests", "", OTLP_COUNTER, "requests_total", "total.requests_total",
         "total_requests"},
        {"up.down", "1", OTLP_SUM, "up_down", "up.down", "up_down"},
        {"cpu.utilization", "1", OTLP_GAUGE, "cpu_utilization_ratio", "cpu.utilization_ratio",
         "cpu_utilization"},
        {"ratio.cpu", "1", OTLP_GAUGE, "cpu_ratio", "ratio.cpu_ratio", "ratio_cpu"},
        {"network.io", "By/s", OTLP_GAUGE, "network_io_bytes_per_second",
         "network.io_bytes_per_second", "network_io"},
        {"errors", "{error}/min", OTLP_GAUGE, "errors_per_min", "errors_per_min", "errors"},
        {"errors", "{error}/m", OTLP_GAUGE, "errors_per_minute", "errors_per_minute", "errors"},
        {"speed", "m/s", OTLP_GAUGE, "speed_meters_per_second", "speed_meters_per_second", "speed"},
        {"disk.used", "%", OTLP_GAUGE, "disk_used_percent", "disk.used_percent", "disk_used"},
        {"queue", "kg.m", OTLP_GAUGE, "queue_kg_m", "queue_kg.m", "queue"},
        {"2xx.count", "", OTLP_GAUGE, "_2xx_count", "2xx.count", "_2xx_count"},
        {"a..b__c", "", OTLP_GAUGE, "a_b_c", "a..b__c", "a_b__c"},
        {"_hidden_", "", OTLP_GAUGE, "hidden", "_hidden_", "_hidden_"},
        {"a:b", "", OTLP_GAUGE, "a:b", "a:b", "a:b"},
        {"temp\xc3\xa9ra", "Cel", OTLP_GAUGE, "temp_ra_celsius", "temp\xc3\xa9ra_celsius",
         "temp_ra"},
        {"x", "ms/", OTLP_GAUGE, "x_milliseconds", "x_milliseconds", "x"},
        {"x", " s ", OTLP_GAUGE, "x_seconds", "x_seconds", "x"},
        {"total", "", OTLP_COUNTER, "total", "total_total", "total"},
        {"\xc3\xa9", "", OTLP_GAUGE, NULL, "\xc3\xa9", NULL},
        {"...", "", OTLP_GAUGE, NULL, "...", NULL},
        {"", "s", OTLP_COUNTER, "seconds_total", NULL, NULL},
        {"", "", OTLP_GAUGE, NULL, NULL, NULL},
    };
    static const int strategies[] = {CONF_OTLP_ESCAPE_SUFFIXES, CONF_OTLP_KEEP_SUFFIXES,
                                     CONF_OTLP_ESCAPE};
    ARENA_CLEANUP struct arena a;
    struct err err;
    arena_init(&a, 0);
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        const char *want[] = {rows[i].escaped_suffixes, rows[i].kept_suffixes, rows[i].escaped};
        for (size_t s = 0; s < TESTS_N(strategies); s++) {
            str got = STR("");
            bool ok = otlp_metric_name(str_from_z(rows[i].name), str_from_z(rows[i].unit),
                                       rows[i].kind, strategies[s], &a, &got, &err);
            if (ok != (want[s] != NULL))
                fail_msg("row %zu, strategy %d: %s", i, strategies[s], ok ? "taken" : err.msg);
            if (ok)
                assert_str(got, str_from_z(want[s]));
        }
    }
}

static void test_label_names(void **state)
{
    static const struct {
        const char *key;
        bool prefix, keep;
        const char *want; /* NULL: none can be made */
    } rows[] = {
        {"http.method", true, true, "http_method"},
        {"plain_key1", true, true, "plain_key1"},
        {"1st", true, true, "key_1st"},
        {"_private", true, true, "key_private"},
        {"_private", false, true, "_private"},
        {"__reserved__", true, true, "__reserved__"},
        {"__re..served__", true, false, "__re_served__"},
        {"__", true, true, NULL},
        {"____", true, false, NULL},
        {"_", true, true, "key_"},
        {"..", true, true, NULL},
        {"a..b__c", true, true, "a__b__c"},
        {"a..b__c", true, false, "a_b_c"},
        {"__a", true, false, "key_a"},
        {".a", true, true, "key_a"},
        {"gr\xc3\xb6\xc3\x9f"
         "e",
         true, true, "gr__e"},
        {"gr\xc3\xb6\xc3\x9f"
         "e",
         true, false, "gr_e"},
        {"a:b", true, true, "a_b"},
        {"", true, true, NULL},
        {"\xff", true, true, NULL},
    };
    ARENA_CLEANUP struct arena a;
    struct err err;
    arena_init(&a, 0);
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        struct conf_otlp c = {.label_key_prefix = rows[i].prefix,
                              .label_keep_underscores = rows[i].keep};
        str got = STR("");
        bool ok = otlp_label_name(str_from_z(rows[i].key), &c, &a, &got, &err);
        if (ok != (rows[i].want != NULL))
            fail_msg("row %zu: %.*s", i, STR_ARG(got));
        if (ok)
            assert_str(got, str_from_z(rows[i].want));
    }
}

static void test_units(void **state)
{
    static const char *const rows[][2] = {
        {"s", "seconds"},
        {"By/s", "bytes_per_second"},
        {"1", ""},
        {"{request}", ""},
        {"{request}/s", "per_second"},
        {"a//b", "a_per_b"},
        {"kg.m", "kg_m"},
        {"", ""},
        {"%", "percent"},
        {"_x_", "x"},
    };
    ARENA_CLEANUP struct arena a;
    arena_init(&a, 0);
    for (size_t i = 0; i < TESTS_N(rows); i++)
        assert_str(otlp_unit(str_from_z(rows[i][0]), &a), str_from_z(rows[i][1]));
}

/* ---- whole requests ---- */

#define RESOURCE                                                                                   \
    "'resource':{'attributes':[{'key':'service.name','value':{'stringValue':'shop'}},"             \
    "{'key':'service.namespace','value':{'stringValue':'eu'}},"                                    \
    "{'key':'service.instance.id','value':{'stringValue':'i-1'}},"                                 \
    "{'key':'host.name','value':{'stringValue':'h'}}]},"
/* One resource, one scope and these metrics. */
#define METRICS(m)                                                                                 \
    "{'resourceMetrics':[{" RESOURCE                                                               \
    "'scopeMetrics':[{'scope':{'name':'lib','version':'2','attributes':[{'key':'k','value':"       \
    "{'intValue':'7'}}]},'schemaUrl':'u','metrics':[" m "]}]}]}"
#define TARGET(t) "target_info{host_name=\"h\",instance=\"i-1\",job=\"eu/shop\"} 1 @" t "\n"
#define TARGET_META "# target_info gauge \"\" Target metadata\n"
#define WHERE "instance=\"i-1\",job=\"eu/shop\""

struct request_row {
    const char *what;
    const char *json; /* with ' for " */
    const char *want;
    size_t points, rejected;
    const char *why; /* part of the first reason */
    struct conf_otlp conf;
    bool deltas;
};

static const struct request_row rows[] = {
    {"a gauge",
     METRICS("{'name':'room.temp','unit':'Cel','description':'how warm','gauge':{'dataPoints':["
             "{'timeUnixNano':'1700000000000000000','startTimeUnixNano':'1','asDouble':21.5,"
             "'attributes':[{'key':'room.no','value':{'intValue':'4'}}]},"
             "{'timeUnixNano':1700000001000000000,'asInt':'-3'}]}}"),
     "room_temp_celsius{" WHERE ",room_no=\"4\"} 21.5 @1700000000000\n"
     "room_temp_celsius{" WHERE "} -3 @1700000001000\n"
     "target_info{host_name=\"h\"," WHERE "} 1 @1700000000000\n" TARGET(
         "1700000001000") "# room_temp_celsius gauge \"celsius\" how warm\n" TARGET_META,
     2,
     0,
     NULL,
     {.strategy = 0},
     false},
    {"sums with start times and exemplars",
     METRICS("{'name':'req','sum':{'isMonotonic':true,'aggregationTemporality':2,'dataPoints':["
             "{'timeUnixNano':'9000000','startTimeUnixNano':'5000000','asInt':3,'exemplars':["
             "{'timeUnixNano':'8000000','asDouble':0.5,'traceId':"
             "'0102030405060708090A0b0c0d0e0f10','spanId':'0102030405060708',"
             "'filteredAttributes':[{'key':'u.x','value':{'boolValue':true}}]},"
             "{'asInt':'2','traceId':'AQIDBAUGBwgJCgsMDQ4PEA=='},{'timeUnixNano':'1'}]}]}},"
             "{'name':'open','sum':{'aggregationTemporality':"
             "'AGGREGATION_TEMPORALITY_CUMULATIVE','dataPoints':[{'timeUnixNano':'9000000',"
             "'asInt':3}]}}"),
     "req_total{" WHERE "} 3 @9 since 5\n"
     "  # {span_id=\"0102030405060708\",trace_id=\"0102030405060708090a0b0c0d0e0f10\","
     "\"u.x\"=\"true\"} 0.5 @8\n"
     "  # {trace_id=\"0102030405060708090a0b0c0d0e0f10\"} 2 @9\n"
     "open{" WHERE
     "} 3 @9\n" TARGET("9") "# req_total counter \"\" \n# open gauge \"\" \n" TARGET_META,
     2,
     0,
     NULL,
     {.strategy = 0},
     false},
    {"a histogram becomes classic series",
     METRICS("{'name':'d','unit':'s','histogram':{'aggregationTemporality':2,'dataPoints':[{"
             "'timeUnixNano':'9000000','startTimeUnixNano':'2000000','count':'6','sum':4.5,"
             "'bucketCounts':['1','2',3],'explicitBounds':[0.5,1],'exemplars':["
             "{'asDouble':0.7},{'asDouble':9},{'asDouble':0.1}]}]}}"),
     "d_seconds_sum{" WHERE "} 4.5 @9 since 2\n"
     "d_seconds_count{" WHERE "} 6 @9 since 2\n"
     "d_seconds_bucket{" WHERE ",le=\"0.5\"} 1 @9 since 2\n  # {} 0.1 @9\n"
     "d_seconds_bucket{" WHERE ",le=\"1\"} 3 @9 since 2\n  # {} 0.7 @9\n"
     "d_seconds_bucket{" WHERE ",le=\"+Inf\"} 6 @9 since 2\n  # {} 9 @9\n" TARGET(
         "9") "# d_seconds histogram \"seconds\" \n" TARGET_META,
     1,
     0,
     NULL,
     {.strategy = 0},
     false},
    {"a histogram without sum and buckets",
     METRICS("{'name':'d','histogram':{'aggregationTemporality':2,'dataPoints':[{"
             "'timeUnixNano':'9000000','count':'6'}]}}"),
     "d_count{" WHERE "} 6 @9\nd_bucket{" WHERE
     ",le=\"+Inf\"} 6 @9\n" TARGET("9") "# d histogram \"\" \n" TARGET_META,
     1,
     0,
     NULL,
     {.strategy = 0},
     false},
    {"histograms with custom buckets",
     METRICS("{'name':'d','histogram':{'aggregationTemporality':2,'dataPoints':[{"
             "'timeUnixNano':'9000000','count':'6','sum':4.5,"
             "'bucketCounts':['0','2','4'],'explicitBounds':[0.5,1]},"
             "{'timeUnixNano':'9000000','count':'2'},"
             "{'timeUnixNano':'9000000','count':'9','bucketCounts':[1,1],'explicitBounds':[1]},"
             "{'timeUnixNano':'9000000','count':'2','bucketCounts':[1,1,0],"
             "'explicitBounds':[2,1]}]}}"),
     "d{" WHERE "} {schema -53 count 6 sum 4.5 zero 0 below 0 bounds 0.5,1 1:2 2:4} @9\n"
     "d{" WHERE "} {schema -53 count 2 sum 0 zero 0 below 0 0:2} @9\n" TARGET(
         "9") "# d histogram \"\" \n" TARGET_META,
     4,
     2,
     "metric \"d\": 2 observations in buckets, the count is 9",
     {.histograms_to_nhcb = true},
     false},
    {"exponential histograms",
     METRICS("{'name':'e','exponentialHistogram':{'aggregationTemporality':2,'dataPoints':[{"
             "'timeUnixNano':'9000000','startTimeUnixNano':'3000000','count':'8','sum':4.5,"
             "'scale':0,'zeroCount':'1','positive':{'offset':-1,'bucketCounts':['2','0',1]},"
             "'negative':{'offset':3,'bucketCounts':['4']},'exemplars':[{'asInt':'5'}]}]}}"),
     "e{" WHERE "} {schema 0 count 8 sum 4.5 zero 1 below 1e-128 0:2 2:1 -4:4} @9 since 3\n"
     "  # {} 5 @9\n" TARGET("9") "# e histogram \"\" \n" TARGET_META,
     1,
     0,
     NULL,
     {.strategy = 0},
     false},
    {"finer scales are merged, coarser ones cannot be",
     METRICS("{'name':'e','exponentialHistogram':{'aggregationTemporality':2,'dataPoints':[{"
             "'timeUnixNano':'9000000','count':'15','scale':10,'zeroThreshold':0.25,"
             "'positive':{'offset':-5,'bucketCounts':[1,2,3,0,4,5]}},"
             "{'timeUnixNano':'9000000','count':'1','scale':-5,'positive':{'bucketCounts':[1]}},"
             "{'timeUnixNano':'9000000','count':'1','scale':2147483647,"
             "'positive':{'offset':-2147483648,'bucketCounts':[1]}},"
             "{'timeUnixNano':'9000000','count':'1','scale':0,"
             "'positive':{'offset':2147483647,'bucketCounts':[1]}}]}}"),
     "e{" WHERE "} {schema 8 count 15 sum 0 zero 0 below 0.25 -1:1 0:9 1:5} @9\n"
     "e{" WHERE "} {schema 8 count 1 sum 0 zero 0 below 1e-128 0:1} @9\n" TARGET(
         "9") "# e histogram \"\" \n" TARGET_META,
     4,
     2,
     "metric \"e\": scale -5, at least -4",
     {.strategy = 0},
     false},
    {"a summary",
     METRICS("{'name':'s','summary':{'dataPoints':[{'timeUnixNano':'9000000','count':'6',"
             "'sum':4.5,'quantileValues':[{'quantile':0.5,'value':2},{'quantile':1,"
             "'value':'NaN'}]}]}}"),
     "s_sum{" WHERE "} 4.5 @9\ns_count{" WHERE "} 6 @9\n"
     "s{" WHERE ",quantile=\"0.5\"} 2 @9\ns{" WHERE
     ",quantile=\"1\"} NaN @9\n" TARGET("9") "# s summary \"\" \n" TARGET_META,
     1,
     0,
     NULL,
     {.strategy = 0},
     false},
    {"no recorded value ends series",
     METRICS("{'name':'g','gauge':{'dataPoints':[{'timeUnixNano':'9000000','flags':1}]}},"
             "{'name':'e','exponentialHistogram':{'aggregationTemporality':2,'dataPoints':[{"
             "'timeUnixNano':'9000000','flags':1,'count':'5'}]}},"
             "{'name':'h','histogram':{'aggregationTemporality':2,'dataPoints':[{"
             "'timeUnixNano':'9000000','flags':1}]}}"),
     "g{" WHERE "} stale @9\ne{" WHERE "} stale @9\nh_count{" WHERE "} stale @9\n"
     "h_bucket{" WHERE ",le=\"+Inf\"} stale @9\n" TARGET(
         "9") "# g gauge \"\" \n# e histogram \"\" \n# h histogram \"\" \n" TARGET_META,
     3,
     0,
     NULL,
     {.strategy = 0},
     false},
    {"deltas are rejected, point by point",
     METRICS("{'name':'a','sum':{'isMonotonic':true,'aggregationTemporality':1,'dataPoints':["
             "{'timeUnixNano':'9000000','asInt':3},{'timeUnixNano':'9000000','asInt':3}]}},"
             "{'name':'b','sum':{'dataPoints':[{'timeUnixNano':'9000000','asInt':3}]}},"
             "{'name':'c','gauge':{'dataPoints':[{'timeUnixNano':'9000000','asInt':3}]}}"),
     "c{" WHERE "} 3 @9\n" TARGET("9") "# c gauge \"\" \n" TARGET_META,
     4,
     3,
     "metric \"a\": delta temporality is not accepted",
     {.strategy = 0},
     false},
    {"deltas are stored when asked for",
     METRICS("{'name':'a','sum':{'isMonotonic':true,'aggregationTemporality':1,'dataPoints':["
             "{'timeUnixNano':'9000000','startTimeUnixNano':'3000000','asInt':3}]}},"
             "{'name':'e','exponentialHistogram':{'aggregationTemporality':1,'dataPoints':[{"
             "'timeUnixNano':'9000000','count':'1','positive':{'bucketCounts':[1]}}]}}"),
     "a_total{" WHERE "} 3 @9\n"
     "e{" WHERE "} {schema 0 count 1 sum 0 zero 0 below 1e-128 1:1 gauge} @9\n" TARGET(
         "9") "# a_total unknown \"\" \n# e unknown \"\" \n" TARGET_META,
     2,
     0,
     NULL,
     {.strategy = 0},
     true},
    {"points that are none",
     METRICS("{'name':'g','gauge':{'dataPoints':[{'asInt':'1'},"
             "{'timeUnixNano':'9000000','attributes':[{'key':'__','value':{'stringValue':'x'}}]},"
             "{'timeUnixNano':'9000000','attributes':[{'value':{'stringValue':'x'}}]}]}},"
             "{'name':'...','gauge':{'dataPoints':[{'timeUnixNano':'9000000'}]}},{'name':'q'}"),
     "",
     4,
     4,
     "metric \"g\": a data point without time_unix_nano",
     {.strategy = 0},
     false},
    {"values of attributes, and names that become one",
     METRICS("{'name':'g','gauge':{'dataPoints':[{'timeUnixNano':'9000000','attributes':["
             "{'key':'list','value':{'arrayValue':{'values':[{'intValue':1},{'stringValue':'x'},"
             "{}]}}},{'key':'map','value':{'kvlistValue':{'values':[{'key':'z','value':"
             "{'doubleValue':1.5}},{'key':'a','value':{'bytesValue':'AQI='}}]}}},"
             "{'key':'dbl','value':{'doubleValue':1e21}},{'key':'inf','value':{'doubleValue':"
             "'Infinity'}},{'key':'raw','value':{'bytesValue':'_-8'}},"
             "{'key':'none','value':{}},{'key':'a.b','value':{'stringValue':'1'}},"
             "{'key':'a_b','value':{'stringValue':'2'}},"
             "{'key':'job','value':{'stringValue':'mine'}},"
             "{'key':'__name__','value':{'stringValue':'mine'}}]}]}}"),
     "g{a_b=\"1;2\",dbl=\"1e+21\",inf=\"+Inf\"," WHERE ",list=\"[1,\\\"x\\\",null]\","
     "map=\"{\\\"a\\\":\\\"AQI=\\\",\\\"z\\\":1.5}\",raw=\"/+8=\"} 0 @9\n" TARGET(
         "9") "# g gauge \"\" \n" TARGET_META,
     1,
     0,
     NULL,
     {.strategy = 0},
     false},
    {"promoted attributes do not replace those of points, the scope does",
     METRICS("{'name':'g','gauge':{'dataPoints':[{'timeUnixNano':'9000000','attributes':["
             "{'key':'host.name','value':{'stringValue':'p'}},"
             "{'key':'otel_scope_name','value':{'stringValue':'p'}}]},"
             "{'timeUnixNano':'9000000'}]}}"),
     "g{host_name=\"p\"," WHERE ",otel_scope_k=\"7\",otel_scope_name=\"lib\","
     "otel_scope_schema_url=\"u\",otel_scope_version=\"2\",service_name=\"shop\"} 0 @9\n"
     "g{host_name=\"h\"," WHERE ",otel_scope_k=\"7\",otel_scope_name=\"lib\","
     "otel_scope_schema_url=\"u\",otel_scope_version=\"2\",service_name=\"shop\"} 0 @9\n"
     "target_info{host_name=\"h\"," WHERE ",service_instance_id=\"i-1\",service_name=\"shop\","
     "service_namespace=\"eu\"} 1 @9\n# g gauge \"\" \n" TARGET_META,
     2,
     0,
     NULL,
     {.promote_all = true,
      .ignore = {(str[]){STR_INIT("service.instance.id"), STR_INIT("service.namespace")}, 2},
      .promote_scope = true,
      .keep_identifying = true},
     false},
    {"names are kept",
     METRICS("{'name':'g.x','unit':'s','sum':{'isMonotonic':true,'aggregationTemporality':2,"
             "'dataPoints':[{'timeUnixNano':'9000000','attributes':["
             "{'key':'a.b','value':{'stringValue':'p'}}]}]}}"),
     "{\"g.x\",\"a.b\"=\"p\",\"host.name\"=\"h\"," WHERE "} 0 @9\n"
     "target_info{\"host.name\"=\"h\"," WHERE "} 1 @9\n"
     "# g.x counter \"seconds\" \n" TARGET_META,
     1,
     0,
     NULL,
     {.strategy = CONF_OTLP_KEEP, .promote = {(str[]){STR_INIT("host.name")}, 1}},
     false},
    {"keys in any order, as in the .proto file, unknown and null ones",
     "{'resource_metrics':[{'schema_url':'x','scope_metrics':[{'metrics':[{'gauge':{'extra':{'a':["
     "1]},'data_points':[{'as_int':5,'time_unix_nano':'9000000','exemplars':null}]},'name':'g'}],"
     "'scope':null}],'resource':{'attributes':[{'value':{'string_value':'s'},"
     "'key':'service.name'}]}}]}",
     "g{job=\"s\"} 5 @9\n# g gauge \"\" \n",
     1,
     0,
     NULL,
     {.strategy = 0},
     false},
    {"nothing at all", "{}", "", 0, 0, NULL, {.strategy = 0}, false},
};

static str quoted(const char *json, struct strbuf *out)
{
    for (const char *p = json; *p; p++)
        strbuf_addc(out, *p == '\'' ? '"' : *p);
    return strbuf_str(out);
}

static struct conf_otlp with_defaults(struct conf_otlp c)
{
    if (!c.strategy)
        c.strategy = defaults.strategy;
    c.label_key_prefix = c.label_keep_underscores = true;
    return c;
}

static void test_requests(void **state)
{
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        STRBUF_CLEANUP struct strbuf json = {0};
        OUTCOME struct outcome x;
        struct conf_otlp conf = with_defaults(rows[i].conf);
        struct otlp_options o = {.conf = &conf, .deltas = rows[i].deltas};
        run(quoted(rows[i].json, &json), &o, &x);
        if (!x.ok)
            fail_msg("%s: %s", rows[i].what, x.err.msg);
        if (!str_eqz(strbuf_str(&x.text), rows[i].want))
            fail_msg("%s:\ngot\n%s\nwant\n%s", rows[i].what, x.text.p, rows[i].want);
        if (x.counts.points != rows[i].points || x.counts.rejected != rows[i].rejected)
            fail_msg("%s: %zu of %zu rejected", rows[i].what, x.counts.rejected, x.counts.points);
        bool told = x.counts.first.kind != ERR_NONE;
        if (told != (rows[i].why != NULL) || (told && !strstr(x.counts.first.msg, rows[i].why)))
            fail_msg("%s: %s", rows[i].what, x.counts.first.msg);
    }
}

/* The resource is told of for all of the time, every half of the look back. */
static void test_target_info_covers_the_time(void **state)
{
    STRBUF_CLEANUP struct strbuf json = {0};
    OUTCOME struct outcome x;
    struct otlp_options o = {.conf = &defaults, .lookback_ms = 20};
    run(quoted(METRICS("{'name':'g','gauge':{'dataPoints':[{'timeUnixNano':'35000000'},"
                       "{'timeUnixNano':'9000000'},{'timeUnixNano':'12000000'}]}}"),
               &json),
        &o, &x);
    assert_true(x.ok);
    assert_non_null(strstr(x.text.p, TARGET("9") TARGET("19") TARGET("29") TARGET("35")));
    o.lookback_ms = 2; /* a first point of 1970 does not make millions */
    strbuf_clear(&json);
    strbuf_fini(&x.text);
    run(quoted(METRICS("{'name':'g','gauge':{'dataPoints':[{'timeUnixNano':'1000000'},"
                       "{'timeUnixNano':'1700000000000000000'}]}}"),
               &json),
        &o, &x);
    assert_true(x.ok);
    assert_non_null(strstr(x.text.p, TARGET("1699999999000")));
    assert_null(strstr(x.text.p, TARGET("1699999998999")));
}

/* ---- limits and what is no request ---- */

static void test_json_errors(void **state)
{
    static const char *const bad[][2] = {
        {"", "unexpected end"},
        {"[]", "must be an object"},
        {"{'resourceMetrics':{}}", "\"resourceMetrics\" must be a list"},
        {"{'resourceMetrics':[[]]}", "list of depth one"},
        {"{'resourceMetrics':[1]}", "must be an object"},
        {METRICS("{'name':1}"), "\"name\" must be a string"},
        {METRICS("{'sum':{'isMonotonic':1}}"), "true or false"},
        {METRICS("{'sum':{'aggregationTemporality':'X'}}"), "AGGREGATION_TEMPORALITY"},
        {METRICS("{'gauge':{'dataPoints':[{'asInt':'1.5'}]}}"), "an integer"},
        {METRICS("{'gauge':{'dataPoints':[{'flags':-1}]}}"), "an integer"},
        {METRICS("{'gauge':{'dataPoints':[{'flags':4294967296}]}}"), "32 bits"},
        {METRICS("{'gauge':{'dataPoints':[{'timeUnixNano':-1}]}}"), "an integer"},
        {METRICS("{'gauge':{'dataPoints':[{'asDouble':'x'}]}}"), "a number"},
        {METRICS("{'gauge':{'dataPoints':[{'exemplars':[{'traceId':'zz'}]}]}}"), "hexadecimal"},
        {METRICS("{'gauge':{'dataPoints':[{'exemplars':[{'spanId':'0102'}]}]}}"), "hexadecimal"},
        {METRICS("{'name':'a'"), ""},
    };
    for (size_t i = 0; i < TESTS_N(bad); i++) {
        STRBUF_CLEANUP struct strbuf json = {0}, out = {0};
        struct err err = {0};
        if (otlp_json_to_protobuf(quoted(bad[i][0], &json), 1 << 20, &out, &err))
            fail_msg("row %zu was taken", i);
        if (i > 0 && !strstr(err.msg, bad[i][1]))
            fail_msg("row %zu: %s", i, err.msg);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_int_equal(err.pos.line, 1);
    }
}

static void test_integers_of_json(void **state)
{
    static const struct {
        const char *text;
        double want;
    } good[] = {{"'9007199254740993'", 9007199254740992.0},
                {"1e3", 1000},
                {"-5", -5},
                {"'-9223372036854775808'", -0x1p63},
                {"12.0", 12}};
    for (size_t i = 0; i < TESTS_N(good); i++) {
        STRBUF_CLEANUP struct strbuf json = {0}, text = {0}, want = {0};
        OUTCOME struct outcome x;
        struct otlp_options o = {.conf = &defaults};
        char number[F64_TEXT_MAX];
        strbuf_addf(&text,
                    "{'resourceMetrics':[{'scopeMetrics':[{'metrics':[{'name':'g','gauge':"
                    "{'dataPoints':[{'timeUnixNano':'9000000','asInt':%s}]}}]}]}]}",
                    good[i].text);
        run(quoted(text.p, &json), &o, &x);
        assert_true(x.ok);
        f64_format(good[i].want, number);
        strbuf_addf(&want, "g %s @9\n# g gauge \"\" \n", number);
        assert_str(strbuf_str(&x.text), strbuf_str(&want));
    }
}

static void test_limits(void **state)
{
    static const struct {
        struct otlp_options o;
        const char *why;
    } limits[] = {
        {{.conf = &defaults, .samples_max = 1}, "more than 1 samples"},
        {{.conf = &defaults, .memory_bytes_max = 64}, "bytes"},
    };
    for (size_t i = 0; i < TESTS_N(limits); i++) {
        STRBUF_CLEANUP struct strbuf json = {0};
        OUTCOME struct outcome x;
        run(quoted(rows[0].json, &json), &limits[i].o, &x);
        assert_false(x.ok);
        assert_int_equal(x.err.kind, ERR_LIMIT);
        assert_non_null(strstr(x.err.msg, limits[i].why));
    }
    STRBUF_CLEANUP struct strbuf json = {0}, out = {0};
    struct err err;
    assert_false(otlp_json_to_protobuf(quoted(rows[0].json, &json), 20, &out, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
}

/* Every cut of a message, and every byte of it changed: an answer, never more. */
static void test_damage(void **state)
{
    for (size_t i = 0; i < TESTS_N(rows); i++) {
        STRBUF_CLEANUP struct strbuf json = {0}, message = {0};
        struct conf_otlp conf = with_defaults(rows[i].conf);
        struct otlp_options o = {.conf = &conf, .deltas = true};
        struct otlp_counts counts;
        struct err err;
        assert_true(otlp_json_to_protobuf(quoted(rows[i].json, &json), 1 << 20, &message, &err));
        for (size_t n = 0; n < message.n; n++) {
            char *copy = malloc(message.n);
            memcpy(copy, message.p, message.n);
            struct batch *b = batch_new();
            (void)!otlp_metrics_decode(bytes_of(copy, n), &o, b, &counts, &err);
            batch_free(b);
            copy[n] ^= (char)(1 << n % 8);
            b = batch_new();
            (void)!otlp_metrics_decode(bytes_of(copy, message.n), &o, b, &counts, &err);
            batch_free(b);
            free(copy);
        }
    }
}

/* ---- answers ---- */

static void test_answers(void **state)
{
    STRBUF_CLEANUP struct strbuf out = {0};
    otlp_put_response(OTLP_PROTOBUF, 0, STR(""), &out);
    assert_int_equal(out.n, 0);
    otlp_put_response(OTLP_JSON, 0, STR(""), &out);
    assert_str(strbuf_str(&out), STR("{}"));
    strbuf_clear(&out);
    otlp_put_response(OTLP_JSON, 3, STR("why"), &out);
    assert_str(strbuf_str(&out), STR("{\"partialSuccess\":{\"rejectedDataPoints\":\"3\","
                                     "\"errorMessage\":\"why\"}}"));
    strbuf_clear(&out);
    otlp_put_response(OTLP_PROTOBUF, 3, STR("w\xff"), &out);
    assert_str(strbuf_str(&out), STR("\x0a\x06\x08\x03\x12\x02w?"));
    strbuf_clear(&out);
    otlp_put_status(OTLP_PROTOBUF, 3, STR("w\xc3\xa9"), &out);
    assert_str(strbuf_str(&out), STR("\x08\x03\x12\x03w\xc3\xa9"));
    strbuf_clear(&out);
    otlp_put_status(OTLP_JSON, 14, STR("why"), &out);
    assert_str(strbuf_str(&out), STR("{\"code\":14,\"message\":\"why\"}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metric_names),
        cmocka_unit_test(test_label_names),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_target_info_covers_the_time),
        cmocka_unit_test(test_json_errors),
        cmocka_unit_test(test_integers_of_json),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
