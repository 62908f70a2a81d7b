// SPDX-License-Identifier: Apache-2.0
/* Certificates made here, loaded by the server, judged by the client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "net/http_client.h"
#include "net/http_server.h"
#include "net/tls.h"
#include "sys/loop.h"

static char folder[] = "/tmp/nunchi-tls-XXXXXX";

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

static const char *path(const char *name)
{
    /* Enough that none is used twice while a test holds it. */
    static char paths[512][128];
    static unsigned next;
    char *p = paths[next++ % 512];
    snprintf(p, sizeof paths[0], "%s/%s", folder, name);
    return p;
}

static void extension_add(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    X509_add_ext(cert, e, -1);
    X509_EXTENSION_free(e);
}

/* Signed by `by`, or by itself. `until_s` from now on. */
static struct identity identity_new(const char *name, const char *alt, const struct identity *by,
                                    long until_s)
{
    static long serial = 1;
    struct identity id = {EVP_EC_gen("P-256"), X509_new()};
    X509_set_version(id.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(id.cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(id.cert), -86400);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), until_s);
    X509_set_pubkey(id.cert, id.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(id.cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509 *issuer = by ? by->cert : id.cert;
    X509_set_issuer_name(id.cert, X509_get_subject_name(issuer));
    extension_add(id.cert, issuer, NID_basic_constraints, alt ? "CA:FALSE" : "critical,CA:TRUE");
    if (alt)
        extension_add(id.cert, issuer, NID_subject_alt_name, alt);
    X509_sign(id.cert, by ? by->key : id.key, EVP_sha256());
    return id;
}

static void identity_save(struct identity *id, const char *cert, const char *key)
{
    FILE *f = fopen(path(cert), "w");
    PEM_write_X509(f, id->cert);
    fclose(f);
    f = fopen(path(key), "w");
    PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
}

static void identity_free(struct identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
}

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    struct identity ca = identity_new("test-ca", NULL, NULL, 86400);
    struct identity all[] = {
        identity_new("server", "DNS:server.test,IP:127.0.0.1", &ca, 86400),
        identity_new("other", "DNS:other.test", &ca, 86400),
        identity_new("expired", "IP:127.0.0.1", &ca, -3600),
        identity_new("client", "DNS:client.test", &ca, 86400),
        identity_new("self-signed", "IP:127.0.0.1", NULL, 86400),
    };
    static const char *const names[] = {"server", "other", "expired", "client", "self"};
    identity_save(&ca, "ca.pem", "ca.key");
    for (size_t i = 0; i < 5; i++) {
        char cert[32], key[32];
        snprintf(cert, sizeof cert, "%s.pem", names[i]);
        snprintf(key, sizeof key, "%s.key", names[i]);
        identity_save(&all[i], cert, key);
        identity_free(&all[i]);
    }
    identity_free(&ca);
    FILE *f = fopen(path("junk.pem"), "w");
    fputs("this is no PEM\n", f);
    fclose(f);
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"ca.pem",     "ca.key",     "server.pem",  "server.key",
                                        "other.pem",  "other.key",  "expired.pem", "expired.key",
                                        "client.pem", "client.key", "self.pem",    "self.key",
                                        "junk.pem"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(path(names[i]));
    rmdir(folder);
    return 0;
}

static void test_load_errors(void **state)
{
    static const struct {
        const char *cert, *key, *ca, *names;
    } cases[] = {
        {"none.pem", "server.key", NULL, "certificate file"},
        {"junk.pem", "server.key", NULL, "certificate file"},
        {"server.pem", "none.key", NULL, "key file"},
        {"server.pem", "junk.pem", NULL, "key file"},
        {"server.pem", "other.key", NULL, "key file"},
        {"server.pem", "server.key", "none.pem", "client CA file"},
        {"server.pem", "server.key", "junk.pem", "client CA file"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        struct tls_server_options o = {.cert_file = path(cases[i].cert),
                                       .key_file = path(cases[i].key),
                                       .client_ca_file = cases[i].ca ? path(cases[i].ca) : NULL};
        assert_null(tls_server_new(&o, &err));
        if (!strstr(err.msg, cases[i].names) || !strstr(err.msg, folder) ||
            strstr(err.msg, "unknown reason"))
            fail_msg("case %zu: %s", i, err.msg);
    }
}

static struct http_result_seen {
    enum http_call_failure failure;
    char body[256], message[1024];
} seen;

static struct loop *loop;

static struct http_plan on_head(void *arg, struct http_request *req)
{
    (void)arg;
    (void)req;
    return (struct http_plan){.kind = HTTP_PLAN_NO_BODY};
}

static void on_request(void *arg, struct http_request *req)
{
    (void)arg;
    assert_true(req->tls);
    http_respond_text(req, 200, "client=%.*s host=%.*s", STR_ARG(req->tls_client),
                      STR_ARG(req->host));
}

static void on_done(void *arg, const struct http_result *r)
{
    (void)arg;
    seen.failure = r->failure;
    snprintf(seen.body, sizeof seen.body, "%.*s", (int)r->body.n, (const char *)r->body.p);
    snprintf(seen.message, sizeof seen.message, "%s", r->failure ? r->err.msg : "");
    loop_stop(loop);
}

static struct tls_server *identity_load(const char *name, bool ask)
{
    char cert[32], key[32];
    struct err err;
    snprintf(cert, sizeof cert, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    struct tls_server *t =
        tls_server_new(&(struct tls_server_options){.cert_file = path(cert),
                                                    .key_file = path(key),
                                                    .client_ca_file = ask ? path("ca.pem") : NULL},
                       &err);
    assert_non_null(t);
    return t;
}

/* One call to a server with this identity; `swap` takes its place before the call. */
static void call(const char *identity, bool ask, const char *swap, struct http_client_tls tls)
{
    struct err err;
    char url[64];
    loop = loop_new("test");
    struct http_listen listen = {.address = "127.0.0.1:0", .tls = identity_load(identity, ask)};
    struct http_server *s = http_server_new(
        &(struct http_server_options){.listen = &listen,
                                      .listen_n = 1,
                                      .loops = &loop,
                                      .loops_n = 1,
                                      .handler = {.on_head = on_head, .on_request = on_request}},
        &err);
    assert_non_null(s);
    http_server_start(s);
    if (swap)
        http_server_tls_swap(s, 0, identity_load(swap, ask));
    struct http_client *c =
        http_client_new(loop, &(struct http_client_options){.ca_file = path("ca.pem")}, &err);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", http_server_port(s, 0));
    assert_non_null(http_call_start(
        c, &(struct http_call_options){.url = url, .tls = tls, .on_done = on_done}, &err));
    loop_run(loop);
    http_client_free(c);
    http_server_free(s);
    loop_free(loop);
}

static void test_verification(void **state)
{
    const struct {
        const char *identity, *swap;
        struct http_client_tls tls;
        enum http_call_failure failure;
    } cases[] = {
        {"server", NULL, {0}, HTTP_CALL_OK},
        {"server", NULL, {.version_min = 13}, HTTP_CALL_OK},
        {"server", NULL, {.version_max = 12}, HTTP_CALL_OK},
        {"server", NULL, {.server_name = "server.test"}, HTTP_CALL_OK},
        {"server", NULL, {.server_name = "other.test"}, HTTP_CALL_TLS},
        {"other", NULL, {0}, HTTP_CALL_TLS},
        {"other", NULL, {.server_name = "other.test"}, HTTP_CALL_OK},
        {"other", NULL, {.insecure_skip_verify = true}, HTTP_CALL_OK},
        {"expired", NULL, {0}, HTTP_CALL_TLS},
        {"self", NULL, {0}, HTTP_CALL_TLS},
        {"self", NULL, {.insecure_skip_verify = true}, HTTP_CALL_OK},
        {"server", NULL, {.ca_file = path("none.pem")}, HTTP_CALL_TLS},
        {"server",
         NULL,
         {.cert_file = path("none.pem"), .key_file = path("client.key")},
         HTTP_CALL_TLS},
        {"expired", "server", {0}, HTTP_CALL_OK},
        {"server", "expired", {0}, HTTP_CALL_TLS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        call(cases[i].identity, false, cases[i].swap, cases[i].tls);
        if (seen.failure != cases[i].failure)
            fail_msg("case %zu: failure %d, %s", i, seen.failure, seen.message);
        if (seen.failure == HTTP_CALL_OK)
            assert_non_null(strstr(seen.body, "host=127.0.0.1:"));
    }
}

static void test_mutual(void **state)
{
    (void)state;
    call("server", true, NULL,
         (struct http_client_tls){.cert_file = path("client.pem"), .key_file = path("client.key")});
    assert_int_equal(seen.failure, HTTP_CALL_OK);
    assert_non_null(strstr(seen.body, "client=client "));
    call("server", true, NULL, (struct http_client_tls){0});
    assert_int_not_equal(seen.failure, HTTP_CALL_OK);
    call("server", true, NULL,
         (struct http_client_tls){.cert_file = path("self.pem"), .key_file = path("self.key")});
    assert_int_not_equal(seen.failure, HTTP_CALL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_load_errors),
                                       cmocka_unit_test(test_verification),
                                       cmocka_unit_test(test_mutual)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
