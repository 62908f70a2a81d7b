// SPDX-License-Identifier: Apache-2.0
/*
 * Sections of prometheus.yml that are known and checked but that nothing acts on yet: alerting,
 * remote_write, remote_read, storage, tracing. Their values are not kept. When one is built,
 * its table moves to a file of its own and gets a struct.
 */
#include "conf/schema_int.h"

#define KEY(key, type, ...)                                                                        \
    {                                                                                              \
        key, type, CONF_NOWHERE, __VA_ARGS__                                                       \
    }

/* ---- alerting ---- */

static const char *const am_versions[] = {"v2", NULL};

static const struct conf_row sigv4_rows[] = {
    KEY("region", CONF_STR, .help = "Region."),
    KEY("access_key", CONF_STR, .help = "Access key."),
    KEY("secret_key", CONF_SECRET, .help = "Secret key."),
    KEY("profile", CONF_STR, .help = "Profile."),
    KEY("role_arn", CONF_STR, .help = "Role."),
    KEY("external_id", CONF_STR, .help = "External id of the role."),
    KEY("use_fips_sts_endpoint", CONF_BOOL, "false", .help = "Use the FIPS endpoint."),
    KEY("service_name", CONF_STR, .help = "Service that is signed for."),
    {0},
};
static const struct conf_rule sigv4_rules[] = {{CONF_TOGETHER, "access_key secret_key"}, {0}};
static const struct conf_schema sigv4_schema = {
    .name = "sigv4",
    .rows = sigv4_rows,
    .rules = sigv4_rules,
    .pos_at = CONF_NOWHERE,
    .help = "Signing as AWS wants it.",
};

static const struct conf_row alertmanager_rows[] = {
    KEY("scheme", CONF_ENUM, "http", .names = conf_url_scheme_names, .help = "Protocol."),
    KEY("path_prefix", CONF_STR, "", .help = "Before the API's path."),
    KEY("timeout", CONF_DURATION, "10s", .help = "Of one notification."),
    KEY("api_version", CONF_ENUM, "v2", .names = am_versions, .help = "Version of the API."),
    KEY("static_configs", CONF_LIST_STRUCT, .sub = &conf_schema_static, .help = "Addresses."),
    KEY("relabel_configs", CONF_LIST_STRUCT, .sub = &conf_schema_relabel,
        .help = "Steps applied to each Alertmanager."),
    KEY("alert_relabel_configs", CONF_LIST_STRUCT, .sub = &conf_schema_relabel,
        .help = "Steps applied to alerts sent there."),
    KEY("sigv4", CONF_STRUCT, .sub = &sigv4_schema, .help = "Signing as AWS wants it."),
    {.type = CONF_INLINE, .at = CONF_NOWHERE, .sub = &conf_schema_sd},
    {.type = CONF_INLINE, .at = CONF_NOWHERE, .sub = &conf_schema_http},
    {0},
};
static void check_alertmanager(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    if (!conf_has(map, "relabel_configs"))
        conf_targets_check(r, yaml_get(map, STR("static_configs")));
}
static const struct conf_schema alertmanager_schema = {
    .name = "alertmanager_config",
    .rows = alertmanager_rows,
    .check = check_alertmanager,
    .pos_at = CONF_NOWHERE,
    .help = "Alertmanagers that alerts are sent to.",
};
static const struct conf_row alerting_rows[] = {
    KEY("alert_relabel_configs", CONF_LIST_STRUCT, .sub = &conf_schema_relabel,
        .help = "Steps applied to each alert."),
    KEY("alertmanagers", CONF_LIST_STRUCT, .sub = &alertmanager_schema, .help = "Alertmanagers."),
    {0},
};
const struct conf_schema conf_schema_alerting = {
    .name = "alerting",
    .rows = alerting_rows,
    .pos_at = CONF_NOWHERE,
    .help = "Where alerts go.",
};

/* ---- remote_write, remote_read ---- */

static const struct conf_row queue_rows[] = {
    KEY("capacity", CONF_INT, "10000", .min = 1, .help = "Samples buffered per shard."),
    KEY("max_shards", CONF_INT, "50", .min = 1, .help = "Most shards."),
    KEY("min_shards", CONF_INT, "1", .min = 1, .help = "Fewest shards."),
    KEY("max_samples_per_send", CONF_INT, "2000", .min = 1, .help = "Samples of one request."),
    KEY("batch_send_deadline", CONF_DURATION, "5s", .help = "Longest wait for a full request."),
    KEY("min_backoff", CONF_DURATION, "30ms", .help = "First wait after a failure."),
    KEY("max_backoff", CONF_DURATION, "5s", .help = "Longest wait after a failure."),
    KEY("retry_on_http_429", CONF_BOOL, "false", .help = "Try again after 429."),
    KEY("sample_age_limit", CONF_DURATION, "0s", .help = "Older samples are dropped."),
    {0},
};

static double queue_number(const struct yaml_node *map, const char *key)
{
    const struct conf_row *row;
    for (row = queue_rows; strcmp(row->key, key) != 0;)
        row++;
    struct yaml_node def = {.kind = YAML_SCALAR, .value = str_from_z(row->def)};
    const struct yaml_node *v = yaml_get(map, str_from_z(key));
    int64_t n = 0;
    /* A value that cannot be read was told; a reader of its own keeps it from being told twice. */
    struct conf_reader quiet = {.diags = conf_diags_new()};
    if (!v || !conf_scalar(&quiet, row, row->type, v, v->pos, &n))
        conf_scalar(&quiet, row, row->type, &def, (struct pos){0}, &n);
    conf_diags_free(quiet.diags);
    return (double)n;
}
static void check_queue(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    if (queue_number(map, "min_shards") > queue_number(map, "max_shards"))
        conf_error(r, conf_pos(map, "min_shards"), "\"min_shards\" is above \"max_shards\"");
    if (queue_number(map, "min_backoff") > queue_number(map, "max_backoff"))
        conf_error(r, conf_pos(map, "min_backoff"), "\"min_backoff\" is above \"max_backoff\"");
}
static const struct conf_schema queue_schema = {
    .name = "queue_config",
    .rows = queue_rows,
    .check = check_queue,
    .pos_at = CONF_NOWHERE,
    .help = "The queue in front of a remote store.",
};

static const struct conf_row metadata_rows[] = {
    KEY("send", CONF_BOOL, "true", .help = "Send metadata."),
    KEY("send_interval", CONF_DURATION, "1m", .help = "How often."),
    KEY("max_samples_per_send", CONF_INT, "2000", .min = 1, .help = "Entries of one request."),
    {0},
};
static const struct conf_schema metadata_schema = {
    .name = "metadata_config",
    .rows = metadata_rows,
    .pos_at = CONF_NOWHERE,
    .help = "Sending of metadata.",
};

static const struct conf_row azuread_identity_rows[] = {
    KEY("client_id", CONF_STR, .help = "Client."), {0}};
static const struct conf_schema azuread_identity_schema = {.name = "managed_identity",
                                                           .rows = azuread_identity_rows,
                                                           .pos_at = CONF_NOWHERE,
                                                           .help = "A managed identity."};
static const struct conf_row azuread_oauth_rows[] = {
    KEY("client_id", CONF_STR, .help = "Client."),
    KEY("client_secret", CONF_SECRET, .help = "Secret."),
    KEY("tenant_id", CONF_STR, .help = "Tenant."),
    {0},
};
static const struct conf_schema azuread_oauth_schema = {
    .name = "oauth", .rows = azuread_oauth_rows, .pos_at = CONF_NOWHERE, .help = "A client."};
static const struct conf_row azuread_sdk_rows[] = {KEY("tenant_id", CONF_STR, .help = "Tenant."),
                                                   {0}};
static const struct conf_schema azuread_sdk_schema = {
    .name = "sdk", .rows = azuread_sdk_rows, .pos_at = CONF_NOWHERE, .help = "The SDK's own way."};
static const struct conf_row azuread_workload_rows[] = {
    KEY("client_id", CONF_STR, .help = "Client."),
    KEY("tenant_id", CONF_STR, .help = "Tenant."),
    KEY("token_file_path", CONF_FILE, .help = "File with the token."),
    {0},
};
static const struct conf_schema azuread_workload_schema = {.name = "workload_identity",
                                                           .rows = azuread_workload_rows,
                                                           .pos_at = CONF_NOWHERE,
                                                           .help = "A workload identity."};
static const struct conf_row azuread_rows[] = {
    KEY("cloud", CONF_STR, "AzurePublic", .help = "Cloud."),
    KEY("managed_identity", CONF_STRUCT, .sub = &azuread_identity_schema, .help = "Identity."),
    KEY("oauth", CONF_STRUCT, .sub = &azuread_oauth_schema, .help = "Client."),
    KEY("sdk", CONF_STRUCT, .sub = &azuread_sdk_schema, .help = "SDK."),
    KEY("workload_identity", CONF_STRUCT, .sub = &azuread_workload_schema, .help = "Workload."),
    KEY("scope", CONF_STR, .help = "Scope of the token."),
    {0},
};
static const struct conf_schema azuread_schema = {
    .name = "azuread", .rows = azuread_rows, .pos_at = CONF_NOWHERE, .help = "Tokens of Azure AD."};

static const struct conf_row google_iam_rows[] = {
    KEY("credentials_file", CONF_FILE, .help = "File with the credentials."), {0}};
static const struct conf_schema google_iam_schema = {.name = "google_iam",
                                                     .rows = google_iam_rows,
                                                     .pos_at = CONF_NOWHERE,
                                                     .help = "Tokens of Google IAM."};

static const char *const write_messages[] = {"", "prometheus.WriteRequest",
                                             "io.prometheus.write.v2.Request", NULL};

static void check_remote_headers(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    const struct yaml_node *headers = yaml_get(map, STR("headers"));
    for (size_t i = 0; headers && headers->kind == YAML_MAPPING && i < headers->n; i++) {
        const struct yaml_node *key = headers->pairs[i].key;
        if (conf_header_reserved(key->value))
            conf_error(r, key->pos, "header \"%.*s\" is set by nunchi itself and cannot be changed",
                       STR_ARG(key->value));
    }
}

static const struct conf_row remote_write_rows[] = {
    KEY("url", CONF_URL, .required = true, .help = "Where samples are sent."),
    KEY("protobuf_message", CONF_ENUM, "prometheus.WriteRequest", .names = write_messages,
        .help = "Message, which is also the version of the protocol."),
    KEY("remote_timeout", CONF_DURATION, "30s", .help = "Of one request."),
    KEY("headers", CONF_MAP_STR, .help = "Headers of each request."),
    KEY("write_relabel_configs", CONF_LIST_STRUCT, .sub = &conf_schema_relabel,
        .help = "Steps applied to each sample."),
    KEY("name", CONF_STR, .help = "Name of the queue."),
    KEY("send_exemplars", CONF_BOOL, "false", .help = "Send exemplars."),
    KEY("send_native_histograms", CONF_BOOL, "false", .help = "Send native histograms."),
    KEY("round_robin_dns", CONF_BOOL, "false", .help = "Another address for each connection."),
    KEY("queue_config", CONF_STRUCT, .sub = &queue_schema, .help = "The queue."),
    KEY("metadata_config", CONF_STRUCT, .sub = &metadata_schema, .help = "Metadata."),
    KEY("sigv4", CONF_STRUCT, .sub = &sigv4_schema, .help = "Signing as AWS wants it."),
    KEY("azuread", CONF_STRUCT, .sub = &azuread_schema, .help = "Tokens of Azure AD."),
    KEY("google_iam", CONF_STRUCT, .sub = &google_iam_schema, .help = "Tokens of Google IAM."),
    {.type = CONF_INLINE, .at = CONF_NOWHERE, .sub = &conf_schema_http},
    {0},
};
static const struct conf_rule remote_write_rules[] = {
    {CONF_AT_MOST_ONE, "basic_auth authorization oauth2 sigv4 azuread google_iam"}, {0}};
const struct conf_schema conf_schema_remote_write = {
    .name = "remote_write",
    .rows = remote_write_rows,
    .rules = remote_write_rules,
    .check = check_remote_headers,
    .pos_at = CONF_NOWHERE,
    .help = "A store that every sample is also sent to.",
};

static const struct conf_row remote_read_rows[] = {
    KEY("url", CONF_URL, .required = true, .help = "Where samples are read from."),
    KEY("remote_timeout", CONF_DURATION, "1m", .help = "Of one request."),
    KEY("headers", CONF_MAP_STR, .help = "Headers of each request."),
    KEY("name", CONF_STR, .help = "Name for display."),
    KEY("read_recent", CONF_BOOL, "false", .help = "Also ask for what is stored here."),
    KEY("chunked_read_limit", CONF_SIZE, .help = "Bytes of one frame."),
    KEY("required_matchers", CONF_MAP_LABELS, .help = "Queries without these do not go there."),
    KEY("filter_external_labels", CONF_BOOL, "true", .help = "Add external labels as matchers."),
    {.type = CONF_INLINE, .at = CONF_NOWHERE, .sub = &conf_schema_http},
    {0},
};
const struct conf_schema conf_schema_remote_read = {
    .name = "remote_read",
    .rows = remote_read_rows,
    .check = check_remote_headers,
    .pos_at = CONF_NOWHERE,
    .help = "A store that queries also read.",
};

/* ---- storage, tracing, runtime ---- */

static const char *const float_encodings[] = {"", "xor", "xor2", NULL};
static const struct conf_row encoding_rows[] = {
    KEY("floats", CONF_ENUM, "xor", .names = float_encodings, .help = "Of floats."), {0}};
static const struct conf_schema encoding_schema = {
    .name = "chunk_encoding", .rows = encoding_rows, .pos_at = CONF_NOWHERE, .help = "Of chunks."};
static const struct conf_row retention_rows[] = {
    KEY("time", CONF_DURATION, .help = "Age at which samples are dropped."),
    KEY("size", CONF_SIZE, .help = "Bytes above which the oldest samples are dropped."),
    KEY("percentage", CONF_FLOAT, .min = 0, .max = 100, .help = "Of the disk."),
    {0},
};
static const struct conf_schema retention_schema = {
    .name = "retention", .rows = retention_rows, .pos_at = CONF_NOWHERE, .help = "Retention."};
static const struct conf_row tsdb_rows[] = {
    KEY("out_of_order_time_window", CONF_DURATION, .status = CONF_NO_MEANING,
        .help = "Out-of-order samples are always taken, as far back as the store goes."),
    KEY("stale_series_compaction_threshold", CONF_FLOAT, .min = 0, .max = 1,
        .status = CONF_NO_MEANING, .help = "Share of stale series that forces a compaction."),
    KEY("retention", CONF_STRUCT, .sub = &retention_schema, .status = CONF_LATER,
        .help = "Set `storage.retention` in nunchi.yml or the flag for now."),
    KEY("chunk_encoding", CONF_STRUCT, .sub = &encoding_schema, .status = CONF_NO_MEANING,
        .help = "The store has encodings of its own."),
    {0},
};
static const struct conf_schema tsdb_schema = {
    .name = "tsdb", .rows = tsdb_rows, .pos_at = CONF_NOWHERE, .help = "The metrics store."};
static const struct conf_row exemplars_rows[] = {
    {"max_exemplars", CONF_INT, offsetof(struct prom_config, exemplars_max), "100000", .min = -1e9,
     .max = 1e9,
     .help = "Exemplars that are kept, the newest of all series; 0: none. They take up to 1 KiB of "
             "memory each."},
    {0}};
static const struct conf_schema exemplars_schema = {
    .name = "exemplars", .rows = exemplars_rows, .pos_at = CONF_NOWHERE, .help = "Exemplars."};
static const struct conf_row storage_rows[] = {
    KEY("tsdb", CONF_STRUCT, .sub = &tsdb_schema, .help = "The metrics store."),
    {"exemplars", CONF_STRUCT, 0, .sub = &exemplars_schema, .help = "Exemplars."},
    {0},
};
const struct conf_schema conf_schema_storage = {
    .name = "storage", .rows = storage_rows, .pos_at = CONF_NOWHERE, .help = "Storage."};

static const char *const trace_clients[] = {"", "http", "grpc", NULL};
static const char *const trace_compressions[] = {"", "gzip", NULL};
static const struct conf_row tracing_rows[] = {
    KEY("client_type", CONF_ENUM, "grpc", .names = trace_clients, .help = "Protocol."),
    KEY("endpoint", CONF_STR, .required = true, .help = "Where spans are sent."),
    KEY("sampling_fraction", CONF_FLOAT, "0", .min = 0, .max = 1, .help = "Share of traces."),
    KEY("insecure", CONF_BOOL, "false", .help = "Without TLS."),
    KEY("tls_config", CONF_STRUCT, .sub = &conf_schema_tls, .help = "TLS."),
    KEY("headers", CONF_MAP_STR, .help = "Headers of each request."),
    KEY("compression", CONF_ENUM, .names = trace_compressions, .help = "Of requests."),
    KEY("timeout", CONF_DURATION, "10s", .help = "Of one request."),
    {0},
};
const struct conf_schema conf_schema_tracing = {
    .name = "tracing",
    .rows = tracing_rows,
    .check = check_remote_headers,
    .pos_at = CONF_NOWHERE,
    .help = "Traces of the server itself.",
};

static const struct conf_row runtime_rows[] = {
    KEY("gogc", CONF_INT, "75", .status = CONF_NO_MEANING, .help = "There is no Go runtime."), {0}};
const struct conf_schema conf_schema_runtime = {
    .name = "runtime", .rows = runtime_rows, .pos_at = CONF_NOWHERE, .help = "Go's runtime."};
