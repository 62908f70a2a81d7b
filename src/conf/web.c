// SPDX-License-Identifier: Apache-2.0
/*
 * The file of --web.config.file: how our own listen addresses are served. Keys, defaults and
 * refusals are those of prometheus/exporter-toolkit's web package. What restricts who may connect
 * and is not built is an error here and never a warning: a server that is more open than its file
 * says must not start.
 */
#include "conf/schema_int.h"
#include "net/tls.h"

/* ---- tls_server_config ---- */

/* In the order of enum conf_client_auth; the last three ask for a certificate without checking it.
 */
static const char *const client_auths[] = {"NoClientCert",
                                           "VerifyClientCertIfGiven",
                                           "RequireAndVerifyClientCert",
                                           "RequestClientCert",
                                           "RequireClientCert",
                                           "RequireAnyClientCert",
                                           NULL};

#define AT(member) offsetof(struct conf_tls_server, member)
static const struct conf_row tls_rows[] = {
    {"cert_file", CONF_FILE, AT(cert_file),
     .help = "Certificate of the server, PEM, followed by its chain."},
    {"key_file", CONF_FILE, AT(key_file), .help = "Its key, PEM, not encrypted."},
    {"client_auth_type", CONF_ENUM, AT(client_auth), "NoClientCert", .names = client_auths,
     .help = "What is asked of clients. The types that do not verify are refused."},
    {"client_ca_file", CONF_FILE, AT(client_ca_file),
     .help = "Authorities that client certificates are checked against, PEM."},
    {"min_version", CONF_ENUM, AT(min_version), "TLS12", .names = conf_tls_version_names,
     .help = "Oldest version to speak; nothing below `TLS12` ever is."},
    {"max_version", CONF_ENUM, CONF_NOWHERE, "TLS13", .names = conf_tls_version_names,
     .status = CONF_LATER, .help = "Newest version to speak."},
    {"prefer_server_cipher_suites", CONF_BOOL, CONF_NOWHERE, "true", .status = CONF_NO_MEANING,
     .help = "The server's order counts in any case."},
    {"cert", CONF_STR, CONF_NOWHERE, .status = CONF_REFUSED, .help = "Use `cert_file`."},
    {"key", CONF_SECRET, CONF_NOWHERE, .status = CONF_REFUSED, .help = "Use `key_file`."},
    {"client_ca", CONF_STR, CONF_NOWHERE, .status = CONF_REFUSED, .help = "Use `client_ca_file`."},
    {"client_allowed_sans", CONF_LIST_STR, CONF_NOWHERE, .status = CONF_REFUSED,
     .help = "Names of which a client certificate must have one."},
    {"cipher_suites", CONF_LIST_STR, CONF_NOWHERE, .status = CONF_REFUSED,
     .help = "Suites of TLS 1.2. Without it: forward-secret AEAD suites only."},
    {"curve_preferences", CONF_LIST_STR, CONF_NOWHERE, .status = CONF_REFUSED,
     .help = "Elliptic curves. Without it: the TLS library's own choice."},
    {0},
};
#undef AT

static const struct conf_rule tls_rules[] = {{CONF_TOGETHER, "cert_file key_file"}, {0}};

static void check_client_auth(struct conf_reader *r, const struct yaml_node *map,
                              const struct conf_tls_server *t)
{
    struct pos at = conf_pos(map, "client_auth_type");
    if (t->client_auth > CONF_CLIENT_REQUIRED)
        conf_error_hint(r, at, "RequireAndVerifyClientCert checks it",
                        "\"client_auth_type\": \"%s\" takes any certificate without checking it",
                        client_auths[t->client_auth]);
    else if (t->client_auth != CONF_CLIENT_NONE && !t->client_ca_file.n)
        conf_error_hint(r, at, "\"client_ca_file\" names the authorities that are trusted",
                        "\"client_auth_type\": \"%s\" has nothing to check certificates against",
                        client_auths[t->client_auth]);
    else if (t->client_auth == CONF_CLIENT_NONE && t->client_ca_file.n)
        conf_error_hint(r, t->client_ca_pos, "add client_auth_type: RequireAndVerifyClientCert",
                        "\"client_ca_file\" has no effect without \"client_auth_type\"");
}

static void check_tls(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    struct conf_tls_server *t = obj;
    t->cert_pos = conf_pos(map, "cert_file");
    t->key_pos = conf_pos(map, "key_file");
    t->client_ca_pos = conf_pos(map, "client_ca_file");
    if (map->n && !t->cert_file.n && !t->key_file.n && !conf_has(map, "cert"))
        conf_error(r, map->pos,
                   "tls_server_config without \"cert_file\" and \"key_file\" would serve no TLS");
    if (t->min_version && t->min_version < CONF_TLS12)
        conf_warn(r, conf_pos(map, "min_version"), "TLS12 is the oldest version that is spoken");
    check_client_auth(r, map, t);
}

static const struct conf_schema tls_schema = {
    .name = "tls_server_config",
    .size = sizeof(struct conf_tls_server),
    .rows = tls_rows,
    .rules = tls_rules,
    .check = check_tls,
    .pos_at = CONF_NOWHERE,
    .help = "TLS of every listen address. SIGHUP and `POST /-/reload` read the files again; open "
            "connections go on.\nTLS itself is switched on and off by a start only.",
};

/* ---- the rest of the file ---- */

static const struct conf_row http_rows[] = {
    {"http2", CONF_BOOL, CONF_NOWHERE, "true", .status = CONF_NO_MEANING,
     .help = "HTTP/1.1 is spoken in any case."},
    {"headers", CONF_MAP_STR, CONF_NOWHERE, .status = CONF_REFUSED,
     .help = "Security headers added to each answer. The pages bring a strict "
             "Content-Security-Policy."},
    {0},
};
static const struct conf_schema http_schema = {
    .name = "http_server_config",
    .rows = http_rows,
    .pos_at = CONF_NOWHERE,
    .help = "HTTP of every listen address.",
};

static const struct conf_row rate_rows[] = {
    {"burst", CONF_INT, CONF_NOWHERE, "0", .help = "Requests let through at once."},
    {"interval", CONF_DURATION, CONF_NOWHERE, "0", .help = "Time between two requests; 0: none."},
    {0},
};
static const struct conf_schema rate_schema = {
    .name = "rate_limit",
    .rows = rate_rows,
    .pos_at = CONF_NOWHERE,
    .help = "Requests let through a second. The flags' own limits hold in any case.",
};

static const struct conf_row web_rows[] = {
    {"tls_server_config", CONF_STRUCT, offsetof(struct web_config, tls), .sub = &tls_schema,
     .help = "TLS."},
    {"http_server_config", CONF_STRUCT, CONF_NOWHERE, .sub = &http_schema, .help = "HTTP."},
    {"rate_limit", CONF_STRUCT, CONF_NOWHERE, .sub = &rate_schema, .status = CONF_LATER,
     .help = "Limit of requests."},
    {"basic_auth_users", CONF_MAP_SECRET, CONF_NOWHERE, .status = CONF_REFUSED,
     .help = "Names and bcrypt hashes of those who may log in."},
    {0},
};

const struct conf_schema conf_schema_web = {
    .name = "web.yml",
    .size = sizeof(struct web_config),
    .rows = web_rows,
    .pos_at = CONF_NOWHERE,
    .help = "The whole file.",
};

/* ---- loading ---- */

struct web_config *conf_load_web(const struct conf_input *in, struct conf_diags *d)
{
    struct web_config *c = mem_new(struct web_config);
    struct conf_reader r = {.arena = &c->arena, .diags = d};
    struct yaml_node *root;
    bool ok = conf_open(&r, in, &root) && conf_read(&r, &conf_schema_web, root, c);
    if (ok) {
        c->path = arena_dup(&c->arena, r.file);
        c->text = arena_dup(&c->arena, r.text);
    }
    conf_reader_fini(&r);
    if (ok)
        return c;
    conf_web_free(c);
    return NULL;
}

void conf_web_free(struct web_config *c)
{
    if (!c)
        return;
    arena_fini(&c->arena);
    free(c);
}

static struct tls_server_options tls_options(const struct conf_tls_server *t)
{
    return (struct tls_server_options){
        .cert_file = t->cert_file.p,
        .key_file = t->key_file.p,
        .client_ca_file = t->client_ca_file.n ? t->client_ca_file.p : NULL,
        .client_optional = t->client_auth == CONF_CLIENT_IF_GIVEN,
        .version_min = t->min_version == CONF_TLS13 ? 13 : 12,
    };
}

bool conf_web_tls(const struct web_config *c, struct conf_diags *d, struct tls_server **out)
{
    const struct conf_tls_server *t = &c->tls;
    const struct pos at[] = {
        [TLS_FILE_NONE] = t->cert_pos,
        [TLS_FILE_CERT] = t->cert_pos,
        [TLS_FILE_KEY] = t->key_pos,
        [TLS_FILE_CLIENT_CA] = t->client_ca_pos,
    };
    enum tls_file bad = TLS_FILE_NONE;
    struct err e = {0};
    struct tls_server_options o = tls_options(t);
    o.bad = &bad;
    struct tls_server *tls = t->cert_file.n ? tls_server_new(&o, &e) : NULL;
    if (tls || !t->cert_file.n) {
        *out = tls;
        return true;
    }
    struct conf_reader r = {.diags = d, .file = c->path, .text = conf_diags_keep(d, c->text)};
    return conf_error(&r, at[bad], "%s", e.msg);
}
