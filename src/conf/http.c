// SPDX-License-Identifier: Apache-2.0
/*
 * http_config: how to reach an HTTP server. Keys, defaults and refusals are those of
 * prometheus/common's config.HTTPClientConfig and its Validate.
 */
#include "conf/schema_int.h"

const char *const conf_url_scheme_names[] = {"http", "https", NULL};

/* ---- tls_config ---- */

const char *const conf_tls_version_names[] = {"", "TLS10", "TLS11", "TLS12", "TLS13", NULL};

#define AT(member) offsetof(struct conf_tls, member)
static const struct conf_row tls_rows[] = {
    {"ca", CONF_STR, AT(ca), .status = CONF_LATER, .help = "Certificate authorities, PEM."},
    {"ca_file", CONF_FILE, AT(ca_file), .help = "File with certificate authorities, PEM."},
    {"cert", CONF_STR, AT(cert), .status = CONF_LATER, .help = "Client certificate, PEM."},
    {"cert_file", CONF_FILE, AT(cert_file), .help = "File with the client certificate."},
    {"key", CONF_SECRET, AT(key), .status = CONF_LATER,
     .help = "Key of the client certificate, PEM."},
    {"key_file", CONF_FILE, AT(key_file), .help = "File with the client key."},
    {"ca_ref", CONF_STR, CONF_NOWHERE, .status = CONF_LATER, .help = "Name in a secret manager."},
    {"cert_ref", CONF_STR, CONF_NOWHERE, .status = CONF_LATER, .help = "Name in a secret manager."},
    {"key_ref", CONF_STR, CONF_NOWHERE, .status = CONF_LATER, .help = "Name in a secret manager."},
    {"server_name", CONF_STR, AT(server_name), .help = "Name to ask for and to check."},
    {"insecure_skip_verify", CONF_BOOL, AT(insecure_skip_verify), "false",
     .help = "Do not check the server's certificate."},
    {"min_version", CONF_ENUM, AT(min_version), .names = conf_tls_version_names,
     .help = "Oldest version to speak; the TLS library's own default unless written."},
    {"max_version", CONF_ENUM, AT(max_version), .names = conf_tls_version_names,
     .help = "Newest version to speak."},
    {0},
};
#undef AT

static const struct conf_rule tls_rules[] = {
    {CONF_AT_MOST_ONE, "ca ca_file ca_ref"},          {CONF_AT_MOST_ONE, "cert cert_file cert_ref"},
    {CONF_AT_MOST_ONE, "key key_file key_ref"},       {CONF_NEEDS, "cert key key_file key_ref"},
    {CONF_NEEDS, "cert_file key key_file key_ref"},   {CONF_NEEDS, "key cert cert_file cert_ref"},
    {CONF_NEEDS, "key_file cert cert_file cert_ref"}, {0},
};

static void check_tls(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    const struct conf_tls *t = obj;
    if (t->min_version && t->max_version && t->max_version < t->min_version)
        conf_error(r, conf_pos(map, "max_version"),
                   "\"max_version\" must not be older than \"min_version\"");
}

const struct conf_schema conf_schema_tls = {
    .name = "tls_config",
    .size = sizeof(struct conf_tls),
    .rows = tls_rows,
    .rules = tls_rules,
    .check = check_tls,
    .pos_at = CONF_NOWHERE,
    .help = "How to speak TLS to a server.",
};

/* ---- credentials ---- */

#define AT(member) offsetof(struct conf_basic_auth, member)
static const struct conf_row basic_rows[] = {
    {"username", CONF_STR, AT(username), .help = "User name."},
    {"username_file", CONF_FILE, AT(username_file), .help = "File with the user name."},
    {"password", CONF_SECRET, AT(password), .help = "Password."},
    {"password_file", CONF_FILE, AT(password_file),
     .help = "File with the password, read again for each request."},
    {"username_ref", CONF_STR, CONF_NOWHERE, .status = CONF_LATER,
     .help = "Name in a secret manager."},
    {"password_ref", CONF_STR, CONF_NOWHERE, .status = CONF_LATER,
     .help = "Name in a secret manager."},
    {0},
};
#undef AT
static const struct conf_rule basic_rules[] = {
    {CONF_AT_MOST_ONE, "username username_file username_ref"},
    {CONF_AT_MOST_ONE, "password password_file password_ref"},
    {0},
};
static const struct conf_schema basic_schema = {
    .name = "basic_auth",
    .size = sizeof(struct conf_basic_auth),
    .rows = basic_rows,
    .rules = basic_rules,
    .pos_at = CONF_NOWHERE,
    .help = "User name and password, RFC 7617.",
};

#define AT(member) offsetof(struct conf_authorization, member)
static const struct conf_row authorization_rows[] = {
    {"type", CONF_STR, AT(type), "Bearer", .help = "First word of the Authorization header."},
    {"credentials", CONF_SECRET, AT(credentials), .help = "What follows the type."},
    {"credentials_file", CONF_FILE, AT(credentials_file),
     .help = "File with what follows the type, read again for each request."},
    {"credentials_ref", CONF_STR, CONF_NOWHERE, .status = CONF_LATER,
     .help = "Name in a secret manager."},
    {0},
};
#undef AT
static const struct conf_rule authorization_rules[] = {
    {CONF_AT_MOST_ONE, "credentials credentials_file credentials_ref"},
    {0},
};
static void check_authorization(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    struct conf_authorization *a = obj;
    a->type = str_trim(a->type);
    if (a->type.n == 0)
        a->type = STR("Bearer");
    if (str_eq_nocase(a->type, STR("basic")))
        conf_error_hint(r, conf_pos(map, "type"), "use \"basic_auth\" instead",
                        "authorization type must not be \"basic\"");
}
static const struct conf_schema authorization_schema = {
    .name = "authorization",
    .size = sizeof(struct conf_authorization),
    .rows = authorization_rows,
    .rules = authorization_rules,
    .check = check_authorization,
    .pos_at = CONF_NOWHERE,
    .help = "The Authorization header.",
};

static const char *const grant_types[] = {"", "client_credentials",
                                          "urn:ietf:params:oauth:grant-type:jwt-bearer", NULL};

static const struct conf_row oauth2_rows[] = {
    {"client_id", CONF_STR, CONF_NOWHERE, .required = true, .help = "Client."},
    {"client_secret", CONF_SECRET, CONF_NOWHERE, .help = "Secret of the client."},
    {"client_secret_file", CONF_FILE, CONF_NOWHERE, .help = "File with the secret."},
    {"client_secret_ref", CONF_STR, CONF_NOWHERE, .help = "Name in a secret manager."},
    {"client_certificate_key", CONF_SECRET, CONF_NOWHERE, .help = "Key that signs the JWT."},
    {"client_certificate_key_file", CONF_FILE, CONF_NOWHERE, .help = "File with the key."},
    {"client_certificate_key_ref", CONF_STR, CONF_NOWHERE, .help = "Name in a secret manager."},
    {"client_certificate_key_id", CONF_STR, CONF_NOWHERE, .help = "Identifier of the key."},
    {"grant_type", CONF_ENUM, CONF_NOWHERE, .names = grant_types, .help = "Kind of grant."},
    {"signature_algorithm", CONF_STR, CONF_NOWHERE, .help = "RS256, RS384 or RS512."},
    {"iss", CONF_STR, CONF_NOWHERE, .help = "Issuer of the JWT."},
    {"audience", CONF_STR, CONF_NOWHERE, .help = "Audience of the JWT."},
    {"claims", CONF_ANY, CONF_NOWHERE, .help = "More claims of the JWT."},
    {"scopes", CONF_LIST_STR, CONF_NOWHERE, .help = "Scopes to ask for."},
    {"token_url", CONF_STR, CONF_NOWHERE, .required = true, .help = "Where tokens come from."},
    {"endpoint_params", CONF_MAP_STR, CONF_NOWHERE, .help = "More parameters."},
    {"tls_config", CONF_STRUCT, CONF_NOWHERE, .sub = &conf_schema_tls, .help = "TLS."},
    {"proxy_url", CONF_STR, CONF_NOWHERE, .help = "Proxy."},
    {"no_proxy", CONF_STR, CONF_NOWHERE, .help = "Hosts without proxy."},
    {"proxy_from_environment", CONF_BOOL, CONF_NOWHERE, .help = "Proxy of the environment."},
    {"proxy_connect_header", CONF_MAP_LIST, CONF_NOWHERE, .help = "Headers for the proxy."},
    {0},
};
static const struct conf_rule oauth2_rules[] = {
    {CONF_AT_MOST_ONE, "client_secret client_secret_file client_secret_ref"},
    {CONF_AT_MOST_ONE,
     "client_certificate_key client_certificate_key_file client_certificate_key_ref"},
    {0},
};
static const struct conf_schema oauth2_schema = {
    .name = "oauth2",
    .rows = oauth2_rows,
    .rules = oauth2_rules,
    .pos_at = CONF_NOWHERE,
    .help = "Tokens by OAuth 2.0.",
};

/* ---- headers ---- */

#define AT(member) offsetof(struct conf_header, member)
static const struct conf_row header_rows[] = {
    {"values", CONF_LIST_STR, AT(values), .help = "Values."},
    {"secrets", CONF_LIST_SECRET, AT(secrets), .help = "Values that are never shown."},
    {"files", CONF_LIST_FILE, AT(files), .help = "Files with values."},
    {0},
};
#undef AT
const struct conf_schema conf_schema_http_headers = {
    .name = "http_headers",
    .size = sizeof(struct conf_header),
    .rows = header_rows,
    .pos_at = CONF_NOWHERE,
    .help = "Values of one header, in the order values, secrets, files.",
};

bool conf_header_reserved(str name)
{
    static const char *const reserved[] = {"Authorization",
                                           "Host",
                                           "Content-Encoding",
                                           "Content-Length",
                                           "Content-Type",
                                           "User-Agent",
                                           "Connection",
                                           "Keep-Alive",
                                           "Proxy-Authenticate",
                                           "Proxy-Authorization",
                                           "Www-Authenticate",
                                           "Accept-Encoding",
                                           "Transfer-Encoding",
                                           "Upgrade",
                                           "X-Prometheus-Remote-Write-Version",
                                           "X-Prometheus-Remote-Read-Version",
                                           "X-Prometheus-Scrape-Timeout-Seconds",
                                           "X-Amz-Date",
                                           "X-Amz-Security-Token",
                                           "X-Amz-Content-Sha256",
                                           NULL};
    for (const char *const *h = reserved; *h; h++)
        if (str_eq_nocase(name, str_from_z(*h)))
            return true;
    return false;
}

static bool is_token(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= 0x20 || c >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", c))
            return false;
    }
    return s.n > 0;
}

static void check_headers(struct conf_reader *r, const struct yaml_node *map)
{
    for (size_t i = 0; map && map->kind == YAML_MAPPING && i < map->n; i++) {
        const struct yaml_node *key = map->pairs[i].key;
        if (conf_header_reserved(key->value))
            conf_error(r, key->pos, "header \"%.*s\" is set by nunchi itself and cannot be changed",
                       STR_ARG(key->value));
        else if (!is_token(key->value))
            conf_error(r, key->pos, "\"%.*s\" is not the name of a header", STR_ARG(key->value));
    }
}

/* ---- http_config ---- */

#define AT(member) offsetof(struct conf_http, member)
static const struct conf_row http_rows[] = {
    {"basic_auth", CONF_PTR, AT(basic_auth), .sub = &basic_schema, .help = "User and password."},
    {"authorization", CONF_PTR, AT(authorization), .sub = &authorization_schema,
     .help = "The Authorization header."},
    {"oauth2", CONF_STRUCT, CONF_NOWHERE, .sub = &oauth2_schema, .status = CONF_LATER,
     .help = "Tokens by OAuth 2.0."},
    {"bearer_token", CONF_SECRET, AT(bearer_token),
     .help = "Older spelling of `authorization` with `credentials`."},
    {"bearer_token_file", CONF_FILE, AT(bearer_token_file),
     .help = "Older spelling of `authorization` with `credentials_file`."},
    {"tls_config", CONF_STRUCT, AT(tls), .sub = &conf_schema_tls, .help = "TLS."},
    {"follow_redirects", CONF_BOOL, AT(follow_redirects), "true", .help = "Follow redirects."},
    {"enable_http2", CONF_BOOL, CONF_NOWHERE, "true", .status = CONF_NO_MEANING,
     .help = "HTTP/1.1 is spoken in any case."},
    {"proxy_url", CONF_URL, AT(proxy_url), .status = CONF_LATER, .help = "Proxy to go through."},
    {"no_proxy", CONF_STR, CONF_NOWHERE, .status = CONF_LATER,
     .help = "Hosts that are reached without the proxy, separated by commas."},
    {"proxy_from_environment", CONF_BOOL, CONF_NOWHERE, "false", .status = CONF_LATER,
     .help = "Take the proxy from HTTP_PROXY, HTTPS_PROXY and NO_PROXY."},
    {"proxy_connect_header", CONF_MAP_LIST, CONF_NOWHERE, .status = CONF_LATER,
     .help = "Headers sent to the proxy with CONNECT."},
    {"http_headers", CONF_MAP_STRUCT, AT(headers), .sub = &conf_schema_http_headers,
     .help = "Headers sent with each request, by name."},
    {0},
};
#undef AT

static const struct conf_rule http_rules[] = {
    {CONF_AT_MOST_ONE, "bearer_token bearer_token_file"},
    {CONF_AT_MOST_ONE, "basic_auth oauth2 bearer_token"},
    {CONF_AT_MOST_ONE, "basic_auth oauth2 bearer_token_file"},
    {CONF_AT_MOST_ONE, "basic_auth oauth2 authorization"},
    {CONF_AT_MOST_ONE, "authorization bearer_token"},
    {CONF_AT_MOST_ONE, "authorization bearer_token_file"},
    {CONF_AT_MOST_ONE, "proxy_from_environment proxy_url"},
    {CONF_AT_MOST_ONE, "proxy_from_environment no_proxy"},
    {CONF_NEEDS, "no_proxy proxy_url proxy_from_environment"},
    {CONF_NEEDS, "proxy_connect_header proxy_url proxy_from_environment"},
    {0},
};

static void check_http(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    struct conf_http *h = obj;
    check_headers(r, yaml_get(map, STR("http_headers")));
    if (!h || (!h->bearer_token.hidden.n && !h->bearer_token_file.n))
        return;
    struct conf_authorization *a = arena_new(r->arena, struct conf_authorization);
    a->type = STR("Bearer");
    a->credentials = h->bearer_token;
    a->credentials_file = h->bearer_token_file;
    h->authorization = a;
}

const struct conf_schema conf_schema_http = {
    .name = "http_config",
    .size = sizeof(struct conf_http),
    .rows = http_rows,
    .rules = http_rules,
    .check = check_http,
    .pos_at = CONF_NOWHERE,
    .help = "How to reach an HTTP server: credentials, TLS, proxy, headers.",
};
