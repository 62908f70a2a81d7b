// SPDX-License-Identifier: Apache-2.0
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/mem.h"

/* Forward secret and authenticated; TLS 1.3's own suites are all of that kind. */
#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"

struct tls_server {
    SSL_CTX *ctx; /* counted by OpenSSL: sessions hold it */
};

struct tls_session {
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
};

static const char *ssl_reason(void)
{
    unsigned long e = ERR_peek_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;
    if (ERR_SYSTEM_ERROR(e))
        return strerror(ERR_GET_REASON(e));
    return reason ? reason : "unknown reason";
}

static bool load_failed(const struct tls_server_options *o, enum tls_file which, struct err *err)
{
    const struct {
        const char *what, *path;
    } about[] = {
        [TLS_FILE_NONE] = {"cipher list", CIPHERS_12},
        [TLS_FILE_CERT] = {"certificate file", o->cert_file},
        [TLS_FILE_KEY] = {"key file", o->key_file},
        [TLS_FILE_CLIENT_CA] = {"client CA file", o->client_ca_file},
    };
    if (o->bad)
        *o->bad = which;
    err_set(err, ERR_INVALID, "cannot use %s %s: %s", about[which].what, about[which].path,
            ssl_reason());
    ERR_clear_error();
    return false;
}

static bool load_identity(SSL_CTX *ctx, const struct tls_server_options *o, struct err *err)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, o->cert_file) != 1)
        return load_failed(o, TLS_FILE_CERT, err);
    if (SSL_CTX_use_PrivateKey_file(ctx, o->key_file, SSL_FILETYPE_PEM) != 1)
        return load_failed(o, TLS_FILE_KEY, err);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return load_failed(o, TLS_FILE_KEY, err);
    return true;
}

static bool load_client_ca(SSL_CTX *ctx, const struct tls_server_options *o, struct err *err)
{
    if (!o->client_ca_file)
        return true;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(o->client_ca_file);
    if (!names || SSL_CTX_load_verify_locations(ctx, o->client_ca_file, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return load_failed(o, TLS_FILE_CLIENT_CA, err);
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    int mode = SSL_VERIFY_PEER | (o->client_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    SSL_CTX_set_verify(ctx, mode, NULL);
    return true;
}

/* A passphrase is never asked for on the terminal: an encrypted key is an error. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
    return 0;
}

/* http/1.1 is what we speak; a client that insists on something else is told so. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                           const unsigned char *in, unsigned in_n, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_n, ours, sizeof ours - 1, in, in_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static struct tls_server *server_of(SSL_CTX *ctx)
{
    struct tls_server *t = mem_new(struct tls_server);
    t->ctx = ctx;
    return t;
}

struct tls_server *tls_server_new(const struct tls_server_options *o, struct err *err)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx) {
        err_set(err, ERR_INTERNAL, "cannot set up TLS: %s", ssl_reason());
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ctx, o->version_min == 13 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"nunchi", 6);
    if (SSL_CTX_set_cipher_list(ctx, CIPHERS_12) != 1)
        load_failed(o, TLS_FILE_NONE, err);
    else if (load_identity(ctx, o, err) && load_client_ca(ctx, o, err))
        return server_of(ctx);
    SSL_CTX_free(ctx);
    return NULL;
}

struct tls_server *tls_server_share(const struct tls_server *t)
{
    if (SSL_CTX_up_ref(t->ctx) != 1)
        abort(); /* fails only on a counter that overflows */
    return server_of(t->ctx);
}

void tls_server_free(struct tls_server *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}

struct tls_session *tls_session_new(struct tls_server *t)
{
    struct tls_session *s = mem_new(struct tls_session);
    s->ssl = SSL_new(t->ctx);
    s->in = BIO_new(BIO_s_mem());
    s->out = BIO_new(BIO_s_mem());
    if (!s->ssl || !s->in || !s->out)
        abort(); /* out of memory */
    SSL_set_bio(s->ssl, s->in, s->out);
    SSL_set_accept_state(s->ssl);
    return s;
}

void tls_session_free(struct tls_session *s)
{
    if (!s)
        return;
    SSL_free(s->ssl);
    free(s);
}

void tls_session_feed(struct tls_session *s, bytes in)
{
    while (in.n > 0) {
        int n = in.n > 1 << 20 ? 1 << 20 : (int)in.n;
        if (BIO_write(s->in, in.p, n) != n)
            abort(); /* a memory BIO only fails without memory */
        in = bytes_of(in.p + n, in.n - (size_t)n);
    }
}

enum tls_result tls_session_read(struct tls_session *s, void *buf, size_t cap, size_t *n,
                                 struct err *err)
{
    *n = 0;
    ERR_clear_error();
    int rc = SSL_read(s->ssl, buf, (int)cap);
    if (rc > 0) {
        *n = (size_t)rc;
        return TLS_OK;
    }
    int why = SSL_get_error(s->ssl, rc);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return TLS_OK;
    if (why == SSL_ERROR_ZERO_RETURN)
        return TLS_CLOSED;
    err_set(err, ERR_INVALID, "TLS: %s", ssl_reason());
    ERR_clear_error();
    return TLS_FAILED;
}

bool tls_session_ready(const struct tls_session *s)
{
    return SSL_is_init_finished(s->ssl);
}

bool tls_session_write(struct tls_session *s, str data, struct err *err)
{
    ERR_clear_error();
    while (data.n > 0) {
        size_t n = 0;
        if (SSL_write_ex(s->ssl, data.p, data.n, &n) != 1) {
            err_set(err, ERR_IO, "TLS: %s", ssl_reason());
            ERR_clear_error();
            return false;
        }
        data = str_sub(data, n, data.n);
    }
    return true;
}

void tls_session_close(struct tls_session *s)
{
    if (SSL_is_init_finished(s->ssl))
        SSL_shutdown(s->ssl);
    ERR_clear_error();
}

size_t tls_session_pending_out(const struct tls_session *s)
{
    return BIO_ctrl_pending(s->out);
}

void tls_session_take_out(struct tls_session *s, struct strbuf *out)
{
    size_t n = BIO_ctrl_pending(s->out);
    if (n == 0)
        return;
    int got = BIO_read(s->out, strbuf_reserve(out, n), (int)n);
    if (got > 0)
        out->n += (size_t)got;
}

bool tls_session_peer_name(const struct tls_session *s, char *buf, size_t cap)
{
    X509 *cert = SSL_get0_peer_certificate(s->ssl);
    if (!cert || SSL_get_verify_result(s->ssl) != X509_V_OK)
        return false;
    int n = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, buf, (int)cap);
    return n > 0 && memchr(buf, 0, (size_t)n) == NULL;
}
