#include "net/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <fstream>
#include <sys/socket.h>

namespace adit::net {
namespace {

int fd_of(BIO* bio) {
    return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

// OpenSSL's own socket BIO writes without MSG_NOSIGNAL: a peer that left would kill the process.
int bio_write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    const auto n = send(fd_of(bio), bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
    return static_cast<int>(n);
}

int bio_read(BIO* bio, char* to, int size) {
    BIO_clear_retry_flags(bio);
    const auto n = recv(fd_of(bio), to, static_cast<std::size_t>(size), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
    if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return static_cast<int>(n);
}

long bio_control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int bio_create(BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
}

std::shared_ptr<BIO_METHOD> make_method() {
    std::shared_ptr<BIO_METHOD> method(
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "adit socket"), BIO_meth_free);
    if (!method) return nullptr;
    BIO_meth_set_write(method.get(), bio_write);
    BIO_meth_set_read(method.get(), bio_read);
    BIO_meth_set_ctrl(method.get(), bio_control);
    BIO_meth_set_create(method.get(), bio_create);
    return method;
}

// The oldest error of this thread in words, and none left behind.
std::string openssl_words() {
    const auto code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return "unknown reason";
    const char* const reason = ERR_reason_error_string(code);
    return reason != nullptr ? reason : fmt::format("error {:x}", code);
}

std::shared_ptr<SSL_CTX> make_context(const SSL_METHOD* method) {
    std::shared_ptr<SSL_CTX> context(SSL_CTX_new(method), SSL_CTX_free);
    if (!context) return nullptr;
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                           SSL_OP_CIPHER_SERVER_PREFERENCE |
                                           SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context.get(), 1);
    return context;
}

std::expected<std::shared_ptr<SSL_CTX>, std::string> load(const std::string& certificate_file,
                                                          const std::string& key_file) {
    const auto fail = [](std::string text) { return std::unexpected(std::move(text)); };
    for (const auto& file : {certificate_file, key_file}) {
        if (!std::ifstream(file)) {
            return fail(fmt::format("{}: cannot be read: {}", file, std::strerror(errno)));
        }
    }
    ERR_clear_error();
    auto context = make_context(TLS_server_method());
    if (!context) return fail("OpenSSL gives no TLS context: " + openssl_words());
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1) {
        return fail(fmt::format("{}: no PEM certificate: {}", certificate_file, openssl_words()));
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
        return fail(fmt::format("{}: no PEM private key for {}: {}", key_file, certificate_file,
                                openssl_words()));
    }
    if (SSL_CTX_check_private_key(context.get()) != 1) {
        return fail(fmt::format("{}: not the key of the certificate {}: {}", key_file,
                                certificate_file, openssl_words()));
    }
    return context;
}

}  // namespace

// ---- TlsContext

TlsContext::~TlsContext() = default;

std::expected<std::shared_ptr<TlsContext>, std::string> TlsContext::server(
    const std::string& certificate_file, const std::string& key_file) {
    std::shared_ptr<TlsContext> out(new TlsContext);
    out->certificate_file_ = certificate_file;
    out->key_file_ = key_file;
    out->method_ = make_method();
    if (!out->method_) return std::unexpected("OpenSSL has no memory");
    if (auto loaded = out->reload(); !loaded) return std::unexpected(loaded.error());
    return out;
}

std::expected<void, std::string> TlsContext::reload() {
    auto context = load(certificate_file_, key_file_);
    if (!context) return std::unexpected(context.error());
    const std::lock_guard lock(mutex_);
    context_ = std::move(*context);
    return {};
}

std::expected<std::shared_ptr<TlsContext>, std::string> TlsContext::client(
    bool verify, const std::string& ca_file) {
    std::shared_ptr<TlsContext> out(new TlsContext);
    ERR_clear_error();
    out->verify_ = verify;
    out->method_ = make_method();
    out->context_ = make_context(TLS_client_method());
    if (!out->method_ || !out->context_) return std::unexpected("OpenSSL has no memory");
    auto* const context = out->context_.get();
    SSL_CTX_set_verify(context, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    const bool loaded = !verify || (ca_file.empty() ? SSL_CTX_set_default_verify_paths(context) == 1
                                                    : SSL_CTX_load_verify_locations(
                                                          context, ca_file.c_str(), nullptr) == 1);
    if (!loaded) {
        return std::unexpected(fmt::format("{}: no trusted certificates: {}",
                                           ca_file.empty() ? "system" : ca_file, openssl_words()));
    }
    return out;
}

std::shared_ptr<ssl_ctx_st> TlsContext::current() const {
    const std::lock_guard lock(mutex_);
    return context_;
}

ssl_st* TlsContext::make(int fd) const {
    SSL* const ssl = SSL_new(current().get());
    BIO* const bio = ssl != nullptr ? BIO_new(method_.get()) : nullptr;
    if (bio == nullptr) {
        SSL_free(ssl);
        return nullptr;
    }
    // A descriptor in the place of a pointer, and never used as one.
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
    SSL_set_bio(ssl, bio, bio);
    return ssl;
}

std::unique_ptr<TlsStream> TlsContext::accept(int fd) const {
    SSL* const ssl = make(fd);
    if (ssl == nullptr) return nullptr;
    SSL_set_accept_state(ssl);
    return std::unique_ptr<TlsStream>(new TlsStream(ssl));
}

std::unique_ptr<TlsStream> TlsContext::connect(int fd, const std::string& host) const {
    SSL* const ssl = make(fd);
    if (ssl == nullptr) return nullptr;
    std::unique_ptr<TlsStream> stream(new TlsStream(ssl));
    SSL_set_connect_state(ssl);
    if (host.find(':') == host.npos) SSL_set_tlsext_host_name(ssl, host.c_str());
    if (verify_) {
        auto* const parameters = SSL_get0_param(ssl);
        if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) != 1 &&
            X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size()) != 1) {
            return nullptr;
        }
    }
    return stream;
}

// ---- TlsStream

TlsStream::~TlsStream() {
    SSL_free(ssl_);
}

TlsStatus TlsStream::status_of(int result) {
    switch (SSL_get_error(ssl_, result)) {
        case SSL_ERROR_NONE:
            return TlsStatus::done;
        case SSL_ERROR_WANT_READ:
            return TlsStatus::want_read;
        case SSL_ERROR_WANT_WRITE:
            return TlsStatus::want_write;
        case SSL_ERROR_ZERO_RETURN:
            return TlsStatus::closed;
        default: {
            const auto verified = SSL_get_verify_result(ssl_);
            failure_ =
                verified == X509_V_OK ? openssl_words() : X509_verify_cert_error_string(verified);
            return TlsStatus::failed;
        }
    }
}

TlsStatus TlsStream::handshake() {
    ERR_clear_error();
    return status_of(SSL_do_handshake(ssl_));
}

TlsIo TlsStream::read(char* to, std::size_t size) {
    ERR_clear_error();
    std::size_t bytes = 0;
    const int result = SSL_read_ex(ssl_, to, size, &bytes);
    if (result == 1) return {TlsStatus::done, bytes};
    return {status_of(result), 0};
}

TlsIo TlsStream::write(std::string_view bytes) {
    ERR_clear_error();
    std::size_t written = 0;
    const int result = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &written);
    if (result == 1) return {TlsStatus::done, written};
    return {status_of(result), 0};
}

void TlsStream::close_notify() {
    ERR_clear_error();
    if (SSL_is_init_finished(ssl_) == 1) SSL_shutdown(ssl_);
    ERR_clear_error();
}

}  // namespace adit::net
