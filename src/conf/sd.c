// SPDX-License-Identifier: Apache-2.0
/*
 * Service discovery: the keys of every mechanism of Prometheus, checked so that a file made for it
 * is judged as it judges it. Discovery itself is built one mechanism at a time in
 * scrape/discovery/; until then each of these blocks is a warning.
 */
#include "conf/schema_int.h"

#define KEY(key, type, ...)                                                                        \
    {                                                                                              \
        key, type, CONF_NOWHERE, __VA_ARGS__                                                       \
    }
#define STRS(key) KEY(key, CONF_LIST_STR)
#define TEXT(key) KEY(key, CONF_STR)
#define NEED(key) KEY(key, CONF_STR, .required = true)
#define HIDE(key) KEY(key, CONF_SECRET)
#define FLAG(key) KEY(key, CONF_BOOL)
#define PORT KEY("port", CONF_INT, .min = 0, .max = 65535)
#define REFRESH KEY("refresh_interval", CONF_DURATION)
#define TLS KEY("tls_config", CONF_STRUCT, .sub = &conf_schema_tls)
#define HTTP                                                                                       \
    {                                                                                              \
        .type = CONF_INLINE, .at = CONF_NOWHERE, .sub = &conf_schema_http                          \
    }
#define ROWS(name, ...) static const struct conf_row name##_rows[] = {__VA_ARGS__, {0}}
#define RULES(name, ...) static const struct conf_rule name##_rules[] = {__VA_ARGS__, {0}}
#define SCHEMA(id, ...)                                                                            \
    static const struct conf_schema id##_schema = {                                                \
        .name = #id "_config", .rows = id##_rows, .pos_at = CONF_NOWHERE, .help = "", __VA_ARGS__}
#define NAMES(id, ...) static const char *const id[] = {"", __VA_ARGS__, NULL}

/* ---- files, HTTP, DNS ---- */

static bool file_pattern_ok(str s)
{
    ssize_t slash = -1, star = str_index(s, '*');
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '/')
            slash = (ssize_t)i;
    bool known = str_ends(s, STR(".json")) || str_ends(s, STR(".yml")) || str_ends(s, STR(".yaml"));
    return known && (star < 0 || star > slash);
}
static void check_file_sd(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    const struct yaml_node *files = yaml_get(map, STR("files"));
    for (size_t i = 0; files && files->kind == YAML_SEQUENCE && i < files->n; i++)
        if (!file_pattern_ok(files->items[i]->value))
            conf_error(r, files->items[i]->pos,
                       "\"%.*s\" is not a pattern of .json, .yml or .yaml files with * in the last "
                       "part only",
                       STR_ARG(files->items[i]->value));
}
ROWS(file_sd, KEY("files", CONF_LIST_FILE, .required = true), REFRESH);
SCHEMA(file_sd, .check = check_file_sd);

ROWS(http_sd, KEY("url", CONF_URL, .names = conf_url_scheme_names, .required = true), REFRESH,
     HTTP);
SCHEMA(http_sd);

NAMES(dns_types, "SRV", "A", "AAAA", "MX", "NS");
static void check_dns_sd(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    str type = conf_text(map, "type", STR("SRV"));
    if (!str_eqz(type, "SRV") && !str_eqz(type, "MX") && !str_eqz(type, "NS") &&
        !conf_has(map, "port"))
        conf_error(r, map->pos, "\"port\" is needed for %.*s records", STR_ARG(type));
}
ROWS(dns_sd, KEY("names", CONF_LIST_STR, .required = true),
     KEY("type", CONF_ENUM, "SRV", .names = dns_types), PORT, REFRESH);
SCHEMA(dns_sd, .check = check_dns_sd);

/* ---- kubernetes ---- */

NAMES(k8s_roles, "node", "service", "pod", "endpoints", "endpointslice", "ingress");
ROWS(k8s_namespaces, STRS("names"), FLAG("own_namespace"));
SCHEMA(k8s_namespaces);
ROWS(k8s_attach, FLAG("node"), FLAG("namespace"), FLAG("deployment"), FLAG("cronjob"), FLAG("job"));
SCHEMA(k8s_attach);
ROWS(k8s_selector, KEY("role", CONF_ENUM, "", .names = k8s_roles, .required = true), TEXT("label"),
     TEXT("field"));
SCHEMA(k8s_selector);

/* Objects that each role reads, which selectors may narrow. */
static bool k8s_may_select(str role, str selector)
{
    static const char *const may[][6] = {
        {"node", "node", NULL},
        {"service", "service", NULL},
        {"pod", "pod", "node", NULL},
        {"ingress", "ingress", NULL},
        {"endpoints", "endpoints", "pod", "service", NULL},
        {"endpointslice", "endpointslice", "pod", "service", NULL},
    };
    for (size_t i = 0; i < sizeof may / sizeof *may; i++)
        for (size_t j = 1; str_eqz(role, may[i][0]) && may[i][j]; j++)
            if (str_eqz(selector, may[i][j]))
                return true;
    return false;
}

/* key=value, key==value or key!=value, separated by commas. */
static bool k8s_field_ok(str s)
{
    str piece;
    while (s.n && str_cut(&s, ',', &piece))
        if (str_index(piece, '=') <= 0)
            return false;
    return true;
}

static void check_k8s_selectors(struct conf_reader *r, const struct yaml_node *map)
{
    const struct yaml_node *list = yaml_get(map, STR("selectors"));
    str role = conf_text(map, "role", STR(""));
    struct map seen MAP_CLEANUP = {0};
    for (size_t i = 0; list && list->kind == YAML_SEQUENCE && i < list->n; i++) {
        const struct yaml_node *s = list->items[i];
        str selected = conf_text(s, "role", STR(""));
        if (!k8s_may_select(role, selected))
            conf_error(r, s->pos, "role %.*s has no selectors of role \"%.*s\"", STR_ARG(role),
                       STR_ARG(selected));
        if (!map_put(&seen, selected, map_get(&seen, selected)))
            conf_error(r, s->pos, "two selectors of role \"%.*s\"", STR_ARG(selected));
        if (!k8s_field_ok(conf_text(s, "field", STR(""))))
            conf_error(r, conf_pos(s, "field"), "a field selector looks like name=value");
    }
}

static bool has_http_config(const struct yaml_node *map)
{
    static const char *const keys[] = {"basic_auth",   "authorization",     "oauth2",
                                       "bearer_token", "bearer_token_file", "tls_config",
                                       "proxy_url",    "http_headers",      NULL};
    for (const char *const *k = keys; *k; k++)
        if (conf_has(map, *k))
            return true;
    return false;
}

static void check_kubernetes_sd(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    bool api = conf_has(map, "api_server"), kubeconfig = conf_has(map, "kubeconfig_file");
    bool own =
        str_eqz(conf_text(yaml_get(map, STR("namespaces")), "own_namespace", STR("")), "true");
    if (api && kubeconfig)
        conf_error(r, conf_pos(map, "kubeconfig_file"),
                   "\"kubeconfig_file\" and \"api_server\" exclude each other");
    if (kubeconfig && has_http_config(map))
        conf_error(r, conf_pos(map, "kubeconfig_file"),
                   "\"kubeconfig_file\" and credentials of one's own exclude each other");
    if (!api && !kubeconfig && has_http_config(map))
        conf_error(r, map->pos, "credentials need \"api_server\" to be set");
    if ((api || kubeconfig) && own)
        conf_error(r, conf_pos(map, "namespaces"),
                   "\"own_namespace\" only works inside a cluster, without \"api_server\" and "
                   "\"kubeconfig_file\"");
    check_k8s_selectors(r, map);
}
ROWS(kubernetes_sd, KEY("api_server", CONF_URL),
     KEY("role", CONF_ENUM, "", .names = k8s_roles, .required = true),
     KEY("kubeconfig_file", CONF_FILE),
     KEY("namespaces", CONF_STRUCT, .sub = &k8s_namespaces_schema),
     KEY("selectors", CONF_LIST_STRUCT, .sub = &k8s_selector_schema),
     KEY("attach_metadata", CONF_STRUCT, .sub = &k8s_attach_schema), HTTP);
SCHEMA(kubernetes_sd, .check = check_kubernetes_sd);

/* ---- clouds ---- */

ROWS(sd_filter, NEED("name"), KEY("values", CONF_LIST_STR, .required = true));
SCHEMA(sd_filter);
#define FILTERS KEY("filters", CONF_LIST_STRUCT, .sub = &sd_filter_schema)
#define AWS                                                                                        \
    TEXT("endpoint"), TEXT("region"), TEXT("access_key"), HIDE("secret_key"), TEXT("profile"),     \
        TEXT("role_arn"), TEXT("external_id"), PORT, REFRESH, HTTP
RULES(aws_keys, {CONF_TOGETHER, "access_key secret_key"});

ROWS(ec2_sd, FILTERS, AWS);
SCHEMA(ec2_sd, .rules = aws_keys_rules);
ROWS(lightsail_sd, AWS);
SCHEMA(lightsail_sd, .rules = aws_keys_rules);
#define CLUSTERS STRS("clusters"), KEY("request_concurrency", CONF_INT)
ROWS(ecs_sd, CLUSTERS, AWS);
SCHEMA(ecs_sd, .rules = aws_keys_rules);
ROWS(msk_sd, CLUSTERS, AWS);
SCHEMA(msk_sd, .rules = aws_keys_rules);
ROWS(rds_sd, CLUSTERS, STRS("instances"), FILTERS, AWS);
SCHEMA(rds_sd, .rules = aws_keys_rules);
ROWS(elasticache_sd, CLUSTERS, AWS);
SCHEMA(elasticache_sd, .rules = aws_keys_rules);
NAMES(aws_roles, "ec2", "ecs", "lightsail", "msk", "rds", "elasticache");
ROWS(aws_sd, KEY("role", CONF_ENUM, "", .names = aws_roles, .required = true), CLUSTERS, FILTERS,
     AWS);
SCHEMA(aws_sd, .rules = aws_keys_rules);

NAMES(azure_methods, "OAuth", "ManagedIdentity", "SDK", "WorkloadIdentity");
static void check_azure_sd(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    static const char *const needed[] = {"tenant_id", "client_id", "client_secret", NULL};
    if (!str_eqz(conf_text(map, "authentication_method", STR("OAuth")), "OAuth"))
        return;
    for (const char *const *k = needed; *k; k++)
        if (!conf_has(map, *k))
            conf_error(r, conf_pos(map, *k), "\"%s\" is needed for the method OAuth", *k);
}
ROWS(azure_sd, TEXT("environment"), NEED("subscription_id"), TEXT("tenant_id"), TEXT("client_id"),
     HIDE("client_secret"), TEXT("resource_group"),
     KEY("authentication_method", CONF_ENUM, "OAuth", .names = azure_methods), PORT, REFRESH, HTTP);
SCHEMA(azure_sd, .check = check_azure_sd);

ROWS(gce_sd, NEED("project"), NEED("zone"), TEXT("filter"), TEXT("tag_separator"), PORT, REFRESH);
SCHEMA(gce_sd);
ROWS(digitalocean_sd, PORT, REFRESH, HTTP);
SCHEMA(digitalocean_sd);
NAMES(hetzner_roles, "robot", "hcloud");
ROWS(hetzner_sd, KEY("role", CONF_ENUM, "", .names = hetzner_roles, .required = true),
     TEXT("label_selector"), PORT, REFRESH, HTTP);
SCHEMA(hetzner_sd);
ROWS(ionos_sd, NEED("datacenter_id"), PORT, REFRESH, HTTP);
SCHEMA(ionos_sd);
ROWS(linode_sd, TEXT("region"), TEXT("tag_separator"), PORT, REFRESH, HTTP);
SCHEMA(linode_sd);
NAMES(oci_methods, "api_key", "instance_principal", "workload_identity");
ROWS(oci_sd, KEY("auth", CONF_ENUM, "api_key", .names = oci_methods), TEXT("tenancy"), TEXT("user"),
     TEXT("fingerprint"), KEY("key_file", CONF_FILE), HIDE("key_passphrase"), TEXT("region"),
     STRS("compartments"), FILTERS, PORT, REFRESH, HTTP);
SCHEMA(oci_sd);
NAMES(openstack_roles, "instance", "hypervisor", "loadbalancer");
NAMES(openstack_availability, "public", "admin", "internal");
ROWS(openstack_sd, TEXT("identity_endpoint"), TEXT("username"), TEXT("userid"), HIDE("password"),
     TEXT("project_name"), TEXT("project_id"), TEXT("domain_name"), TEXT("domain_id"),
     TEXT("application_credential_name"), TEXT("application_credential_id"),
     HIDE("application_credential_secret"),
     KEY("role", CONF_ENUM, "", .names = openstack_roles, .required = true), NEED("region"),
     FLAG("all_tenants"), KEY("availability", CONF_ENUM, "public", .names = openstack_availability),
     TLS, PORT, REFRESH);
SCHEMA(openstack_sd);
RULES(outscale_sd, {CONF_AT_MOST_ONE, "secret_key secret_key_file"},
      {CONF_AT_LEAST_ONE, "secret_key secret_key_file"});
static void check_outscale_sd(struct conf_reader *r, const struct yaml_node *map, void *obj)
{
    if (yaml_get(map, STR("region")) && !conf_has(map, "region"))
        conf_error(r, conf_pos(map, "region"), "\"region\" must not be empty");
}
ROWS(outscale_sd, TEXT("region"), TEXT("endpoint"), NEED("access_key"), HIDE("secret_key"),
     KEY("secret_key_file", CONF_FILE), PORT, REFRESH, HTTP);
SCHEMA(outscale_sd, .rules = outscale_sd_rules, .check = check_outscale_sd);
NAMES(ovh_services, "vps", "dedicated_server");
ROWS(ovhcloud_sd, NEED("endpoint"), NEED("application_key"),
     KEY("application_secret", CONF_SECRET, .required = true),
     KEY("consumer_key", CONF_SECRET, .required = true),
     KEY("service", CONF_ENUM, "", .names = ovh_services, .required = true), REFRESH);
SCHEMA(ovhcloud_sd);
NAMES(scaleway_roles, "instance", "baremetal");
RULES(scaleway_sd, {CONF_AT_MOST_ONE, "secret_key secret_key_file"},
      {CONF_AT_LEAST_ONE, "secret_key secret_key_file"});
ROWS(scaleway_sd, NEED("project_id"), TEXT("api_url"), TEXT("zone"), NEED("access_key"),
     HIDE("secret_key"), KEY("secret_key_file", CONF_FILE), TEXT("name_filter"),
     STRS("tags_filter"), KEY("role", CONF_ENUM, "", .names = scaleway_roles, .required = true),
     PORT, REFRESH, HTTP);
SCHEMA(scaleway_sd, .rules = scaleway_sd_rules);
ROWS(stackit_sd, TEXT("project"), TEXT("region"), KEY("endpoint", CONF_URL),
     HIDE("service_account_key"), KEY("service_account_key_path", CONF_FILE), HIDE("private_key"),
     KEY("private_key_path", CONF_FILE), KEY("credentials_file_path", CONF_FILE), PORT, REFRESH,
     HTTP);
SCHEMA(stackit_sd);
NAMES(triton_roles, "container", "cn");
ROWS(triton_sd, NEED("account"), NEED("dns_suffix"), NEED("endpoint"), STRS("groups"),
     KEY("role", CONF_ENUM, "container", .names = triton_roles), KEY("version", CONF_INT), TLS,
     PORT, REFRESH);
SCHEMA(triton_sd);
ROWS(vultr_sd, PORT, REFRESH, HTTP);
SCHEMA(vultr_sd);

/* ---- registries ---- */

ROWS(consul_sd, TEXT("server"), TEXT("path_prefix"), HIDE("token"), TEXT("datacenter"),
     TEXT("namespace"), TEXT("partition"), TEXT("tag_separator"), TEXT("scheme"), TEXT("username"),
     HIDE("password"), FLAG("allow_stale"), STRS("services"), STRS("tags"), TEXT("filter"),
     TEXT("health_filter"), KEY("node_meta", CONF_MAP_STR), REFRESH, HTTP);
SCHEMA(consul_sd);
ROWS(docker_sd, NEED("host"), PORT, FILTERS, TEXT("host_networking_host"),
     FLAG("match_first_network"), REFRESH, HTTP);
SCHEMA(docker_sd);
NAMES(swarm_roles, "services", "tasks", "nodes");
ROWS(dockerswarm_sd, NEED("host"),
     KEY("role", CONF_ENUM, "", .names = swarm_roles, .required = true), PORT, FILTERS, REFRESH,
     HTTP);
SCHEMA(dockerswarm_sd);
ROWS(eureka_sd, KEY("server", CONF_URL, .names = conf_url_scheme_names, .required = true), REFRESH,
     HTTP);
SCHEMA(eureka_sd);
ROWS(kuma_sd, KEY("server", CONF_URL, .required = true), TEXT("client_id"),
     KEY("fetch_timeout", CONF_DURATION), REFRESH, HTTP);
SCHEMA(kuma_sd);
RULES(marathon_sd, {CONF_AT_MOST_ONE, "auth_token auth_token_file"},
      {CONF_AT_MOST_ONE, "auth_token basic_auth bearer_token bearer_token_file authorization"},
      {CONF_AT_MOST_ONE,
       "auth_token_file basic_auth bearer_token bearer_token_file authorization"});
ROWS(marathon_sd, KEY("servers", CONF_LIST_STR, .required = true), HIDE("auth_token"),
     KEY("auth_token_file", CONF_FILE), REFRESH, HTTP);
SCHEMA(marathon_sd, .rules = marathon_sd_rules);
ROWS(nomad_sd, FLAG("allow_stale"), TEXT("namespace"), TEXT("region"), NEED("server"),
     TEXT("tag_separator"), REFRESH, HTTP);
SCHEMA(nomad_sd);
ROWS(puppetdb_sd, KEY("url", CONF_URL, .names = conf_url_scheme_names, .required = true),
     NEED("query"), FLAG("include_parameters"), PORT, REFRESH, HTTP);
SCHEMA(puppetdb_sd);
ROWS(uyuni_sd, NEED("server"), NEED("username"), KEY("password", CONF_SECRET, .required = true),
     TEXT("entitlement"), TEXT("separator"), REFRESH, HTTP);
SCHEMA(uyuni_sd);
ROWS(zookeeper_sd, KEY("servers", CONF_LIST_STR, .required = true),
     KEY("paths", CONF_LIST_STR, .required = true), KEY("timeout", CONF_DURATION));
SCHEMA(zookeeper_sd);

#define SD(id)                                                                                     \
    {                                                                                              \
#id "_sd_configs", CONF_LIST_STRUCT, CONF_NOWHERE,                                         \
            .sub = &id##_sd_schema, .status = CONF_LATER, .help = "Targets found by " #id "."      \
    }
#define SD_ZOOKEEPER(key)                                                                          \
    {                                                                                              \
        key "_sd_configs", CONF_LIST_STRUCT, CONF_NOWHERE,                                         \
            .sub = &zookeeper_sd_schema, .status = CONF_LATER,                                     \
            .help = "Targets found in ZooKeeper by " key "."                                       \
    }

ROWS(sd, SD(file), SD(http), SD(dns), SD(kubernetes), SD(consul), SD(docker), SD(dockerswarm),
     SD(aws), SD(ec2), SD(ecs), SD(lightsail), SD(msk), SD(rds), SD(elasticache), SD(azure),
     SD(digitalocean), SD(eureka), SD(gce), SD(hetzner), SD(ionos), SD(kuma), SD(linode),
     SD(marathon), SD_ZOOKEEPER("nerve"), SD(nomad), SD(oci), SD(openstack), SD(outscale),
     SD(ovhcloud), SD(puppetdb), SD(scaleway), SD_ZOOKEEPER("serverset"), SD(stackit), SD(triton),
     SD(uyuni), SD(vultr));

const struct conf_schema conf_schema_sd = {
    .name = "service discovery",
    .rows = sd_rows,
    .pos_at = CONF_NOWHERE,
    .help = "Where targets are found.",
};
