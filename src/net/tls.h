// SPDX-License-Identifier: Apache-2.0
/*
 * TLS for our listeners: OpenSSL behind memory buffers, so that it fits any transport. TLS 1.2 at
 * least, forward-secret AEAD ciphers only. The only file of ours that knows OpenSSL's connection
 * API.
 *
 * `struct tls_server` is immutable after tls_server_new and counted: sessions keep it, so it can be
 * swapped for another one at any time. `struct tls_session` is one connection, owned by its loop.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

struct tls_server;
struct tls_session;

enum tls_file { TLS_FILE_NONE, TLS_FILE_CERT, TLS_FILE_KEY, TLS_FILE_CLIENT_CA };

struct tls_server_options {
    const char *cert_file;      /* PEM, leaf first, then its chain */
    const char *key_file;       /* PEM, not encrypted */
    const char *client_ca_file; /* PEM; NULL: clients are not asked for a certificate */
    bool client_optional; /* with a CA: a client may come without one (never with a bad one) */
    int version_min;      /* 12 or 13 for TLS 1.2, 1.3; 0: 1.2 */
    enum tls_file *bad;   /* NULL, or where an error leaves which file it is about */
};

/* Reads the files (blocking). Errors say which file and what: missing, no PEM, key does not fit...
 */
struct tls_server *tls_server_new(const struct tls_server_options *o, struct err *err);
/* Another hold on the same, for another listen address. */
struct tls_server *tls_server_share(const struct tls_server *t);
void tls_server_free(struct tls_server *t); /* drops the caller's hold; NULL is fine */

struct tls_session *tls_session_new(struct tls_server *t);
void tls_session_free(struct tls_session *s);

/* Bytes that came from the peer. */
void tls_session_feed(struct tls_session *s, bytes in);

enum tls_result {
    TLS_OK,     /* progress was made as far as the fed bytes allow */
    TLS_CLOSED, /* the peer ended the session in order */
    TLS_FAILED, /* handshake or record error; `*err` says what */
};

/*
 * Reads decrypted bytes into `buf`; `*n` is how many (0: feed more). Drives the handshake too.
 * Afterwards tls_session_pending_out may hold bytes for the peer, also after TLS_FAILED (an alert).
 */
enum tls_result tls_session_read(struct tls_session *s, void *buf, size_t cap, size_t *n,
                                 struct err *err);
bool tls_session_ready(const struct tls_session *s); /* handshake complete */

/* Encrypts all of `data`; only after the handshake. */
bool tls_session_write(struct tls_session *s, str data, struct err *err)
    __attribute__((warn_unused_result));
/* Queues the close_notify alert. */
void tls_session_close(struct tls_session *s);

/* Bytes waiting for the peer, and moving them out (appended to `out`). */
size_t tls_session_pending_out(const struct tls_session *s);
void tls_session_take_out(struct tls_session *s, struct strbuf *out);

/* Common name of the peer's verified certificate, written to `buf`; false when there is none. */
bool tls_session_peer_name(const struct tls_session *s, char *buf, size_t cap);

#endif
