#pragma once
#include <curl/curl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>

// Swift cannot call variadic functions: one typed wrapper for each kind of argument.

static inline CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode ccurl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

// libcurl copies the text, except for CURLOPT_POSTFIELDS, which must not be set through this.
static inline CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

// The caller keeps what the pointer names alive until the transfer has left the multi handle,
// except for CURLOPT_COPYPOSTFIELDS, which copies.
static inline CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, const void *value) {
    return curl_easy_setopt(easy, option, value);
}

typedef size_t (*ccurl_data_callback)(char *data, size_t size, size_t count, void *context);

static inline CURLcode ccurl_set_callback(
    CURL *easy, CURLoption option, ccurl_data_callback callback) {
    return curl_easy_setopt(easy, option, callback);
}

// The address is that of the callback's third argument.
typedef curl_socket_t (*ccurl_open_socket_callback)(
    void *context, curlsocktype purpose, struct curl_sockaddr *address);

static inline CURLcode ccurl_set_open_socket(CURL *easy, ccurl_open_socket_callback callback) {
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, callback);
}

// The address's bytes in network order: 4 or 16 of them, or 0 for another family. `bytes` has room
// for 16. libcurl keeps a whole sockaddr_storage behind `addr`.
static inline int ccurl_address_bytes(const struct curl_sockaddr *address, unsigned char *bytes) {
    if (address->family == AF_INET) {
        memcpy(bytes, &((const struct sockaddr_in *)(const void *)&address->addr)->sin_addr, 4);
        return 4;
    }
    if (address->family == AF_INET6) {
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)&address->addr)->sin6_addr, 16);
        return 16;
    }
    return 0;
}

static inline CURLcode ccurl_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode ccurl_get_pointer(CURL *easy, CURLINFO info, void **value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode ccurl_global_init(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }

static inline CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

// The next transfer that has ended: its handle and its result. Null when there is none.
static inline CURL *ccurl_multi_next_done(CURLM *multi, CURLcode *result) {
    int remaining;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &remaining)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            *result = message->data.result;
            return message->easy_handle;
        }
    }
    return NULL;
}

// Whether the certificate's one URI is `wanted`, or begins with it where it ends in a slash.
static inline int ccurl_identity_fits(X509 *certificate, const char *wanted) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t length = strlen(wanted);
    int uris = 0, fits = 0;
    for (int index = 0; index < sk_GENERAL_NAME_num(names); index++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
        if (name->type != GEN_URI) continue;
        uris++;
        const ASN1_IA5STRING *uri = name->d.uniformResourceIdentifier;
        const unsigned char *text = ASN1_STRING_get0_data(uri);
        size_t count = (size_t)ASN1_STRING_length(uri);
        int isPrefix = count >= length && memcmp(text, wanted, length) == 0;
        fits = isPrefix && (count == length || wanted[length - 1] == '/');
    }
    GENERAL_NAMES_free(names);
    return uris == 1 && fits;
}

// In addition to OpenSSL's own verification, whose verdict is `ok`.
static inline int ccurl_verify_identity(int ok, X509_STORE_CTX *store) {
    if (!ok || X509_STORE_CTX_get_error_depth(store) != 0) return ok;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const char *wanted = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (ccurl_identity_fits(X509_STORE_CTX_get_current_cert(store), wanted)) return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

static inline CURLcode ccurl_prepare_context(CURL *easy, void *context, void *wanted) {
    (void)easy;
    SSL_CTX_set_app_data((SSL_CTX *)context, wanted);
    SSL_CTX_set_verify((SSL_CTX *)context, SSL_VERIFY_PEER, ccurl_verify_identity);
    return CURLE_OK;
}

// The server's certificate must name this identity. `wanted` lives as long as the process.
static inline CURLcode ccurl_expect_identity(CURL *easy, const char *wanted) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, (void *)wanted);
    if (code != CURLE_OK) return code;
    return curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, ccurl_prepare_context);
}
